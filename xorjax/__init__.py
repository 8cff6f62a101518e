"""xorjax: XOR-gate weight encryption for sparse, quantized networks.

The names below are imported when first used: `xorjax --help` waits neither for jax nor for numba.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xorjax.codec.xor import Encoded, encode
    from xorjax.compression import CompressSpec, compress
    from xorjax.container import load, save
    from xorjax.decode.lookup import decode
    from xorjax.gf2.network import XorNetwork

__all__ = [
    "CompressSpec",
    "Encoded",
    "XorNetwork",
    "__version__",
    "compress",
    "decode",
    "encode",
    "load",
    "save",
]

__version__ = version("xorjax")

_HOMES = {
    "CompressSpec": "xorjax.compression",
    "Encoded": "xorjax.codec.xor",
    "XorNetwork": "xorjax.gf2.network",
    "compress": "xorjax.compression",
    "decode": "xorjax.decode.lookup",
    "encode": "xorjax.codec.xor",
    "load": "xorjax.container",
    "save": "xorjax.container",
}


class _Package(ModuleType):
    def __getattr__(self, name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'xorjax' has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        # Importing the subpackage `decode` or `compress` would put it where the function of that name belongs.
        if not (isinstance(value, ModuleType) and name in _HOMES):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_HOMES})


sys.modules[__name__].__class__ = _Package
