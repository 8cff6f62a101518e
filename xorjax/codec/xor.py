"""The XOR code of one bit plane: a code word for each slice, and patches where it misses a care bit."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int32, UInt8, UInt64

from xorjax.codec.layout import LAYOUTS, bit_index, count_slices, to_slices
from xorjax.codec.patches import (
    PATCH_FORMATS,
    pack_counts,
    pack_positions,
    unpack_counts,
    unpack_positions,
)
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_fields, unpack_fields

METHODS = ("greedy",)
ENCODERS = ("numba", "galois")
STREAMS = ("codes", "patch_counts", "patch_positions")


@dataclass(frozen=True, eq=False)
class Encoded:
    """One encoded bit plane.

    Attributes:
        shape: the plane's.
        codes: code words; bit j meets column j of the network's matrix.
        n_patches: patches in each slice.
        patch_positions: within the slice, ascending; slices in order.
        layout: how the plane is cut into slices, see `codec.layout`.
    """

    shape: tuple[int, ...]
    net: XorNetwork
    method: str
    patch_format: str
    patch_block: int
    codes: UInt64[np.ndarray, " n_slices"]
    n_patches: Int32[np.ndarray, " n_slices"]
    patch_positions: Int32[np.ndarray, " n_patches"]
    layout: str = "row_major"

    @property
    def n_weights(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def streams(self) -> dict[str, UInt8[np.ndarray, " bytes"]]:
        """The bytes that are written: "codes" in fields of n_in bits, "patch_counts", "patch_positions"."""
        return {
            "codes": pack_fields(self.codes, self.net.n_in),
            "patch_counts": pack_counts(self.n_patches, self.patch_format, self.patch_block),
            "patch_positions": pack_positions(self.patch_positions, self.net.n_out),
        }

    @property
    def nbits(self) -> dict[str, int]:
        """Bits of each stream, whole bytes."""
        return {name: 8 * len(stream) for name, stream in self.streams.items()}

    @property
    def bits_per_weight(self) -> float:
        """Value bits: all streams, over all weights of the plane, pruned ones included."""
        return sum(self.nbits.values()) / self.n_weights

    @classmethod
    def from_streams(
        cls,
        streams: Mapping[str, UInt8[np.ndarray, " bytes"]],
        shape: tuple[int, ...],
        net: XorNetwork,
        method: str,
        patch_format: str,
        patch_block: int,
        layout: str = "row_major",
    ) -> "Encoded":
        """Reads what `streams` gave.

        Raises:
            ValueError: a stream is missing, is too short or too long, or holds what no encoder writes (a
                position outside its slice, positions out of order, bits set after the end).
        """
        _check_settings(method, patch_format, patch_block, layout)
        for name in STREAMS:
            if name not in streams:
                raise ValueError(f"stream {name!r} is missing")
        n_slices = count_slices(shape, net.n_out, layout)
        with _naming("codes"):
            codes = unpack_fields(streams["codes"], net.n_in, n_slices)
        with _naming("patch_counts"):
            n_patches = unpack_counts(streams["patch_counts"], n_slices, patch_format, patch_block)
        with _naming("patch_positions"):
            total = int(n_patches.sum(dtype=np.int64))
            positions = unpack_positions(streams["patch_positions"], net.n_out, total)
            slices = np.repeat(np.arange(n_slices), n_patches)
            index = bit_index(slices, positions, n_slices, net.n_out, layout)
            if (positions >= net.n_out).any() or (index >= math.prod(shape)).any():
                raise ValueError(f"a position lies outside its slice of {net.n_out} bits")
            if (np.diff(slices * net.n_out + positions) <= 0).any():
                raise ValueError("the positions of a slice do not ascend")
        encoded = cls(shape, net, method, patch_format, patch_block, codes, n_patches, positions, layout)
        for name in STREAMS:
            if not np.array_equal(encoded.streams[name], streams[name]):
                raise ValueError(
                    f"stream {name!r}: its {len(streams[name])} bytes are not the "
                    f"{len(encoded.streams[name])} bytes that its values are written as"
                )
        return encoded


def encode(
    bits: Bool[np.ndarray, "..."],
    care: Bool[np.ndarray, "..."],
    net: XorNetwork,
    method: str = "greedy",
    patch_format: str = "paper",
    patch_block: int = 64,
    encoder: str = "numba",
    layout: str = "row_major",
) -> Encoded:
    """Encodes a bit plane so that decoding returns `bits` wherever `care`, and chance bits elsewhere.

    The plane is cut into slices of `net.n_out` bits as `codec.layout` says for `layout`, the end padded with
    don't-cares: consecutive bits by default, "interleaved" for uneven masks. "greedy" is the paper's patch
    search: care bits in order, each kept if it agrees with those kept before it and a patch if not; free
    variables are 0. The encoder "galois" is slow and gives the same answer as "numba" bit for bit. The patch
    formats are those of `patches.pack_counts`; `patch_block` counts slices and is used by "blocked" alone.

    Raises:
        ValueError: the arrays' shapes differ or they are empty, or a setting is unknown.
    """
    _check_settings(method, patch_format, patch_block, layout)
    if encoder not in ENCODERS:
        raise ValueError(f"encoder must be one of {', '.join(ENCODERS)}, not {encoder!r}")
    for name, plane in (("bits", bits), ("care", care)):
        if plane.dtype != np.bool_:
            raise ValueError(
                f"{name} has dtype {plane.dtype}, expected bool: for signs of weights, weights >= 0"
            )
    if bits.shape != care.shape:
        raise ValueError(f"bits have shape {bits.shape}, care {care.shape}")
    slices = (to_slices(plane, net.n_out, layout).reshape(-1) for plane in (bits, care))
    codes, n_patches, positions = _encoder(encoder)(*slices, net)
    return Encoded(bits.shape, net, method, patch_format, patch_block, codes, n_patches, positions, layout)


def _encoder(name: str) -> Callable:
    # Imported when used: numba and galois take a second or two, which decoding need not wait for.
    if name == "numba":
        from xorjax.gf2.elimination import encode_slices
    else:
        from xorjax.gf2.oracle import encode_slices
    return encode_slices


def _check_settings(method: str, patch_format: str, patch_block: int, layout: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if patch_format not in PATCH_FORMATS:
        raise ValueError(f"patch_format must be one of {', '.join(PATCH_FORMATS)}, not {patch_format!r}")
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    if patch_block < 1:
        raise ValueError(f"patch_block must be 1 slice or more, not {patch_block}")


@contextmanager
def _naming(stream: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"stream {stream!r}: {error}") from error
