"""Codes: ways of storing a layer's bit planes. One a file, in one registry."""

from xorjax.codec.code import CODES, Code, EncodedPlanes

__all__ = ["CODES", "Code", "EncodedPlanes"]
