"""GF(2): bits in words, the XOR network's matrix, and elimination."""
