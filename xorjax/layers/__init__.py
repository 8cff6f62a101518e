"""Layers whose weights are code words."""

from xorjax.layers.layer import XorConv, XorLinear

__all__ = ["XorConv", "XorLinear"]
