"""Layers whose weights are code words."""

from xorjax.layers.conv import XorConv
from xorjax.layers.linear import XorLinear

__all__ = ["XorConv", "XorLinear"]
