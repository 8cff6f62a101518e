"""The file format: one safetensors file for each set of compressed layers, versioned and checked."""

from xorjax.container.format import ContainerError
from xorjax.container.model import CompressedLayer, CompressedModel, bits, decode_weights, layer_bits
from xorjax.container.read import load, verify
from xorjax.container.write import file_bytes, save

__all__ = [
    "CompressedLayer",
    "CompressedModel",
    "ContainerError",
    "bits",
    "decode_weights",
    "file_bytes",
    "layer_bits",
    "load",
    "save",
    "verify",
]
