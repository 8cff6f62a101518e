"""Binary quantization of pruned weights with straight-through gradients."""
