"""The public `encode`: one bit plane under one XOR network, without files or layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int32, UInt64

from xorjax.codec.code import CodeError, EncodedPlanes, check_planes, check_settings
from xorjax.codec.plane import CodedPlane, search
from xorjax.codec.slicing import to_slices
from xorjax.codec.xor import XorCode, assemble
from xorjax.gf2.network import XorNetwork
from xorjax.masks.base import Streams


@dataclass(frozen=True, eq=False)
class Encoded:
    """One bit plane, encoded under its mask by one network; `EncodedPlanes` holds the planes of a layer.

    Attributes:
        code: the settings; its n_in and n_out are those of `net`.
        plane: code words and patches.
        care: the mask; some patch formats cannot be read without it.
    """

    code: XorCode
    net: XorNetwork
    plane: CodedPlane
    care: Bool[np.ndarray, "*shape"]

    def __repr__(self) -> str:
        patches = f"{len(self.patch_positions):,} patches"
        return f"Encoded({self.shape}, {self.code}, {patches}, {self.bits_per_weight:.4f} bits/weight)"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.care.shape

    @property
    def n_weights(self) -> int:
        return self.care.size

    @property
    def codes(self) -> UInt64[np.ndarray, "n_slices code_words"]:
        return self.plane.codes

    @property
    def n_patches(self) -> Int32[np.ndarray, " n_slices"]:
        """Patches in each slice."""
        return self.plane.n_patches

    @property
    def patch_positions(self) -> Int32[np.ndarray, " n_patches"]:
        return self.plane.patch_positions

    @property
    def n_bounded(self) -> int:
        return self.plane.n_bounded

    @cached_property
    def planes(self) -> EncodedPlanes:
        """The same as a layer of one plane, without its mask."""
        return assemble(self.code, self.net, self.care, [self.plane])

    @property
    def streams(self) -> Streams:
        """The bytes that are written: "codes", "patch_counts" and "patch_positions"."""
        return {name.removeprefix("0/"): stream for name, stream in self.planes.streams.items()}

    @property
    def nbits(self) -> Mapping[str, int]:
        """Bits of each stream, whole bytes."""
        return {name: 8 * len(stream) for name, stream in self.streams.items()}

    @property
    def bits_per_weight(self) -> float:
        """Value bits: all streams, over all weights of the plane, pruned ones included."""
        return sum(self.nbits.values()) / self.n_weights


def encode(
    bits: Bool[np.ndarray, "..."],
    care: Bool[np.ndarray, "..."],
    net: XorNetwork,
    method: str = "minimum",
    patch_format: str = "care",
    patch_block: int = 16,
    encoder: str = "numba",
    slicing: str = "row_major",
    slicing_seed: int = 0,
) -> Encoded:
    """Encodes a bit plane so that decoding returns `bits` wherever `care`, and chance bits elsewhere.

    Runs on numba's threads (`numba.set_num_threads`); in a process that was forked after they began, on one.

    Args:
        bits: True is the sign +1.
        care: the mask; True = kept.
        net: the network; its n_in and n_out are those of the code words and the slices.
        method: "minimum" finds the fewest patches that a slice can have. A slice for which that would take too long
            gets a bounded search, and `Encoded.n_bounded` counts it. "greedy" is the paper's search: it takes the care
            bits in order, keeps each that agrees with those kept before, and patches the others; free variables are 0.
        patch_format: one of `codec.patches`.
        patch_block: slices in a block of counts; "blocked" alone uses it.
        encoder: "galois" is slow and gives the same answer as "numba" bit for bit.
        slicing: how the plane is cut into slices of `net.n_out` bits, see `codec.slicing`; the end is padded with
            don't-cares. The default takes consecutive bits, as in the paper; `XorCode` interleaves by default, which
            suits uneven masks.
        slicing_seed: of "shuffled".

    Raises:
        CodeError: the arrays' shapes differ or they are empty, or a setting is unknown.
    """
    code = XorCode(
        n_in=net.n_in,
        n_out=net.n_out,
        slicing=slicing,
        slicing_seed=slicing_seed,
        seed=net.seed,
        taps=net.taps,
        method=method,
        encoder=encoder,
        patch_format=patch_format,
        patch_block=patch_block,
    )
    check_settings(code)
    for name, plane, how in (
        ("bits", bits, "for signs of weights, weights >= 0"),
        ("care", care, "for a mask of numbers, mask != 0"),
    ):
        if plane.dtype != np.bool_:
            raise CodeError(f"{name} has dtype {plane.dtype}, expected bool: {how}")
    if bits.shape != care.shape:
        raise CodeError(f"bits have shape {bits.shape}, care {care.shape}")
    check_planes(bits[None], care)
    in_slices, of_care = (to_slices(plane, net.n_out, slicing, slicing_seed) for plane in (bits, care))
    return Encoded(code, net, search(in_slices, of_care, net, method, encoder), care)
