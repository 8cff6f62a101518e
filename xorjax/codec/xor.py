"""The XOR code of one bit plane: a code word for each slice, and patches where it misses a care bit."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int32, UInt8, UInt64

from xorjax.codec.layout import LAYOUTS, to_slices
from xorjax.codec.patches import PATCH_FORMATS, CareSlices, get_patch_format
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_codes, unpack_codes

METHODS = ("greedy", "minimum")
ENCODERS = ("numba", "galois")
STREAMS = ("codes", "patch_counts", "patch_positions")


@dataclass(frozen=True, eq=False)
class Encoded:
    """One encoded bit plane.

    Attributes:
        shape: the plane's.
        method: how the code words were searched; decoding does not depend on it.
        patch_format: one of `codec.patches.PATCH_FORMATS`; it decides on the bytes alone.
        codes: code words; bit j % 64 of word j // 64 meets column j of the network's matrix.
        n_patches: patches in each slice.
        patch_positions: within the slice, 0 to n_out - 1, ascending; slices in order. All are care bits.
        care: the mask that the plane was encoded under; some patch formats cannot be read without it.
        layout: how the plane is cut into slices, see `codec.layout`.
        layout_seed: of the layout "shuffled".
        n_bounded: slices that were too redundant for the exact search of the method "minimum".
    """

    shape: tuple[int, ...]
    net: XorNetwork
    method: str
    patch_format: str
    patch_block: int
    codes: UInt64[np.ndarray, "n_slices code_words"]
    n_patches: Int32[np.ndarray, " n_slices"]
    patch_positions: Int32[np.ndarray, " n_patches"]
    care: Bool[np.ndarray, "*shape"]
    layout: str = "row_major"
    layout_seed: int = 0
    n_bounded: int = 0

    @property
    def n_weights(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def care_slices(self) -> CareSlices:
        """Where the slices' care bits lie."""
        return _care_slices(self.care, self.net, self.patch_block, self.layout, self.layout_seed)

    @cached_property
    def streams(self) -> dict[str, UInt8[np.ndarray, " bytes"]]:
        """The bytes that are written: "codes" in fields of n_in bits, "patch_counts", "patch_positions"."""
        patches = get_patch_format(self.patch_format)
        return {
            "codes": pack_codes(self.codes, self.net.n_in),
            "patch_counts": patches.pack_counts(self.n_patches, self.care_slices),
            "patch_positions": patches.pack_positions(self.n_patches, self.patch_positions, self.care_slices),
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
        care: Bool[np.ndarray, "..."],
        net: XorNetwork,
        method: str,
        patch_format: str,
        patch_block: int,
        layout: str,
        layout_seed: int = 0,
        n_bounded: int = 0,
    ) -> "Encoded":
        """Reads what `streams` gave, under the mask that it was encoded under.

        Memory stays within a multiple of the streams and the mask, whatever the streams claim.

        Raises:
            ValueError: a setting is unknown, or a stream is missing, is too short or too long, or holds what no
                encoder writes (a patch that is no care bit, positions out of order, bits set after the end).
        """
        _check_settings(method, patch_format, patch_block, layout, layout_seed)
        for name in STREAMS:
            if name not in streams:
                raise ValueError(f"stream {name!r} is missing")
        slices = _care_slices(care, net, patch_block, layout, layout_seed)
        if not 0 <= n_bounded <= slices.n_slices:
            raise ValueError(f"n_bounded must be 0 to the {slices.n_slices} slices, not {n_bounded}")
        patches = get_patch_format(patch_format)
        with _naming("codes"):
            codes = unpack_codes(streams["codes"], net.n_in, slices.n_slices)
        with _naming("patch_counts"):
            n_patches = patches.unpack_counts(streams["patch_counts"], slices)
            if (n_patches > slices.n_care).any():
                raise ValueError("a slice has more patches than care bits")
        with _naming("patch_positions"):
            positions = patches.unpack_positions(streams["patch_positions"], n_patches, slices)
            slices.numbers(n_patches, positions)
            if (np.diff(slices.slices_of(n_patches) * net.n_out + positions) <= 0).any():
                raise ValueError("the positions of a slice do not ascend")
        encoded = cls(
            care.shape,
            net,
            method,
            patch_format,
            patch_block,
            codes,
            n_patches,
            positions,
            care,
            layout,
            layout_seed,
            n_bounded,
        )
        encoded.__dict__["care_slices"] = slices
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
    method: str = "minimum",
    patch_format: str = "care",
    patch_block: int = 16,
    encoder: str = "numba",
    layout: str = "row_major",
    layout_seed: int = 0,
) -> Encoded:
    """Encodes a bit plane so that decoding returns `bits` wherever `care`, and chance bits elsewhere.

    The plane is cut into slices of `net.n_out` bits as `codec.layout` says for `layout`, the end padded with
    don't-cares: consecutive bits by default, others for uneven masks. "minimum" finds the fewest patches a slice
    can have; where that would take too long, a bounded search, and `Encoded.n_bounded` counts such slices. "greedy"
    is the paper's patch search: care bits in order, each kept if it agrees with those kept before it and a patch
    if not; free variables are 0. The encoder "galois" is slow and gives the same answer as "numba" bit for bit.
    `patch_format` is one of `codec.patches`; `patch_block` counts slices and is used by "blocked" alone.

    Raises:
        ValueError: the arrays' shapes differ or they are empty, or a setting is unknown.
    """
    _check_settings(method, patch_format, patch_block, layout, layout_seed)
    if encoder not in ENCODERS:
        raise ValueError(f"encoder must be one of {', '.join(ENCODERS)}, not {encoder!r}")
    for name, plane in (("bits", bits), ("care", care)):
        if plane.dtype != np.bool_:
            raise ValueError(
                f"{name} has dtype {plane.dtype}, expected bool: for signs of weights, weights >= 0"
            )
    if bits.shape != care.shape:
        raise ValueError(f"bits have shape {bits.shape}, care {care.shape}")
    flat_bits, flat_care = (
        to_slices(plane, net.n_out, layout, layout_seed).reshape(-1) for plane in (bits, care)
    )
    codes, n_patches, positions, n_bounded = _encode_slices(flat_bits, flat_care, net, method, encoder)
    return Encoded(
        bits.shape,
        net,
        method,
        patch_format,
        patch_block,
        codes,
        n_patches,
        positions,
        care,
        layout,
        layout_seed,
        n_bounded,
    )


def _encode_slices(bits, care, net: XorNetwork, method: str, encoder: str) -> tuple:
    # Imported when used: numba and galois take a second or two, which decoding need not wait for.
    if encoder == "galois":
        from xorjax.gf2 import oracle

        found = oracle.encode_slices(bits, care, net, method)
    elif method == "greedy":
        from xorjax.gf2 import elimination

        found = elimination.encode_slices(bits, care, net)
    else:
        from xorjax.gf2 import minimum

        found = minimum.encode_slices(bits, care, net)
    return found if len(found) == 4 else (*found, 0)


def _care_slices(
    care: Bool[np.ndarray, "..."], net: XorNetwork, patch_block: int, layout: str, layout_seed: int
) -> CareSlices:
    return CareSlices.of(to_slices(care, net.n_out, layout, layout_seed), net.n_in, patch_block)


def _check_settings(method: str, patch_format: str, patch_block: int, layout: str, layout_seed: int) -> None:
    for name, value, known in (
        ("method", method, METHODS),
        ("patch_format", patch_format, PATCH_FORMATS),
        ("layout", layout, LAYOUTS),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    if patch_block < 1:
        raise ValueError(f"patch_block must be 1 slice or more, not {patch_block}")
    if layout_seed < 0:
        raise ValueError(f"layout_seed must be 0 or more, not {layout_seed}")


@contextmanager
def _naming(stream: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"stream {stream!r}: {error}") from error
