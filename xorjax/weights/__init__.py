"""Weights held as code, and the products that take them and arrays alike."""

from xorjax.weights.coded import CodedWeight, form
from xorjax.weights.products import conv, matmul

__all__ = ["CodedWeight", "conv", "form", "matmul"]
