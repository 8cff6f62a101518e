"""The codec alone, on synthetic masks: the studies behind the paper's figures, without a network."""
