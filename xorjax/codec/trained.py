"""The trained XOR code: each slice is one of the few vectors that M puts out, so that no sign needs a patch.

Code words are the parameters of a network, which learns through M (FleXOR, arXiv 2009.04126), and not found for signs
that are there already. A slice is n_out inputs of one output unit: n_in / n_out bits a weight, exactly, and no mask,
though the layer may have one. Without it `x @ W` is one look-up a slice, in the 2^n_in partial sums of each group of
inputs (`decoding.trained`). Where a unit's inputs lie, its slicing says: all axes but the last in flax's kernels, all
but the first in torch's (out, in).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped, UInt16

from xorjax.codec.code import (
    CODES,
    Code,
    CodeError,
    EncodedPlanes,
    Mask,
    Planes,
    Tell,
    check_planes,
    check_settings,
    check_streams,
)
from xorjax.gf2.pack import pack_fields, unpack_fields
from xorjax.gf2.vectors import MAX_BITS, sign_vectors
from xorjax.masks.base import matrix_shape
from xorjax.settings import Range, setting

_TILE = 1 << 22
"""Slices times code words that are compared at once."""


@CODES.register
@dataclass(frozen=True)
class TrainedCode(Code):
    """Stream "p/codes": a field of n_in bits for each slice of plane p, slices in the order of `to_groups`."""

    id: ClassVar[str] = "trained"
    beside: ClassVar[tuple[str | None, ...]] = ()
    trained: ClassVar[bool] = True

    n_in: int = setting(
        8, Range(1, MAX_BITS), "Bits of a code word; a slice is one of 2^n_in vectors.", per_layer=True
    )
    n_out: int = setting(
        20, Range(1, 2**12), "Inputs of a slice; n_in or more. n_in / n_out bits a weight.", per_layer=True
    )
    seed: int = setting(0, Range(0, 2**64 - 1), "What the matrix is drawn from.", per_layer=True)
    taps: int | None = setting(
        None, Range(1, MAX_BITS), "Ones in each row of the matrix; null: any number but 0.", per_layer=True
    )
    slicing: str = setting(
        "inputs",
        ("inputs", "inputs_last"),
        "Where the inputs of an output lie: inputs, flax's (in, out), or inputs_last, torch's (out, in).",
        per_layer=True,
        added=True,
    )

    @property
    def vectors(self) -> Bool[np.ndarray, "code_words n_out"]:
        """The slice of each code word."""
        return sign_vectors(self.n_in, self.n_out, self.seed, self.taps)

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        """As `Code.encode`, of planes that were trained in this code: every slice has a code word.

        Raises:
            CodeError: a slice has none; or as `Code.encode`.
        """
        check_settings(self)
        check_planes(planes, mask)
        streams = {}
        for p, plane in enumerate(planes):
            signs = np.where(plane, np.float32(1), np.float32(-1))
            codes, missed = self.nearest(signs if mask is None else np.where(mask, signs, 0))
            if n_wrong := np.count_nonzero(missed):
                raise CodeError(
                    f"{n_wrong} of {len(codes)} slices of plane {p} are no code words: the code 'trained' holds signs "
                    "that were trained in it"
                )
            streams[f"{p}/codes"] = pack_fields(codes, self.n_in)
            tell((p + 1) / len(planes))
        return EncodedPlanes(self, planes.shape[1:], len(planes), streams)

    def nearest(
        self, weights: Float[np.ndarray, "*shape"]
    ) -> tuple[UInt16[np.ndarray, " n_slices"], Float32[np.ndarray, " n_slices"]]:
        """For each slice the code word whose vector t is nearest to the weights w up to a scale: the largest t w.

        Of code words equally near the smallest. The second array is by how much t w misses the sum of |w|, which
        signs alone reach: 0 where the signs are the vector's, but for weights of 0.
        """
        slices = to_groups(self._turn(weights), self.n_out).astype(np.float32, copy=False)
        signs = (2 * self.vectors.astype(np.float32) - 1).T
        step = max(1, _TILE // signs.shape[1])
        codes, missed = np.empty(len(slices), np.uint16), np.empty(len(slices), np.float32)
        for begin in range(0, len(slices), step):
            tile = slice(begin, begin + step)
            met = slices[tile] @ signs
            codes[tile] = met.argmax(axis=1)
            missed[tile] = np.abs(slices[tile]).sum(axis=1) - met.max(axis=1)
        return codes, missed

    def project(self, weights: Float[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
        return self._plane(self.nearest(weights)[0], weights.shape)

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        planes = np.empty((encoded.n_planes, *encoded.shape), np.bool_)
        for p, codes in enumerate(self.read(encoded)):
            planes[p] = self._plane(codes, encoded.shape)
        return planes

    def _turn(self, plane: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
        return np.moveaxis(plane, 0, -1) if is_turned(plane.shape, self.slicing) else plane

    def _plane(
        self, codes: UInt16[np.ndarray, " n_slices"], shape: tuple[int, ...]
    ) -> Bool[np.ndarray, "*shape"]:
        turned = outputs_last(shape, self.slicing)
        # Of a slice longer than the layer has inputs, no more is formed than the layer has.
        vectors = self.vectors[:, : matrix_shape(turned)[0]]
        plane = from_groups(vectors[codes], turned)
        return np.moveaxis(plane, -1, 0) if is_turned(shape, self.slicing) else plane

    def read(self, encoded: EncodedPlanes) -> Iterator[UInt16[np.ndarray, " n_slices"]]:
        """The planes' code words, one plane after the other.

        Raises:
            ValueError: a stream has the wrong length, or a bit is set after the last code word.
        """
        check_settings(self)
        check_streams(encoded, ("codes",))
        n_slices = count_groups(outputs_last(encoded.shape, self.slicing), self.n_out)
        for p in range(encoded.n_planes):
            stream, n_bytes = encoded.streams[f"{p}/codes"], -(-n_slices * self.n_in // 8)
            if len(stream) != n_bytes:
                raise ValueError(
                    f"stream '{p}/codes': {len(stream)} bytes are not {n_slices} code words of {self.n_in} bits"
                )
            codes = unpack_fields(stream, self.n_in, n_slices).astype(np.uint16)
            if not np.array_equal(pack_fields(codes, self.n_in), stream):
                raise ValueError(f"stream '{p}/codes': a bit is set after the last code word")
            yield codes

    def describe(self, encoded: EncodedPlanes) -> dict[str, Any]:
        return {
            "n_in": self.n_in,
            "n_out": self.n_out,
            "slicing": self.slicing,
            "xor_seed": self.seed,
            "n_slices": encoded.n_planes
            * count_groups(outputs_last(encoded.shape, self.slicing), self.n_out),
        }

    def clashes(self, prune_rate: float | None = None) -> Iterator[str]:
        """As `Code.clashes`."""
        if self.n_out < self.n_in:
            yield f"n_out is {self.n_out}; it must be at least n_in, {self.n_in}"
        elif self.taps is not None and self.taps > self.n_in:
            yield f"taps is {self.taps}; it must be at most n_in, {self.n_in}"


def is_turned(shape: tuple[int, ...], slicing: str) -> bool:
    """Whether the outputs of a plane are on its first axis, and not on its last."""
    return slicing == "inputs_last" and len(shape) > 1


def outputs_last(shape: tuple[int, ...], slicing: str) -> tuple[int, ...]:
    """The shape of the plane with its outputs on its last axis."""
    return (*shape[1:], shape[0]) if is_turned(shape, slicing) else shape


def count_groups(shape: tuple[int, ...], n_out: int) -> int:
    """The slices of a plane."""
    n_inputs, n_outputs = matrix_shape(shape)
    return -(-n_inputs // n_out) * n_outputs


def to_groups(plane: Shaped[np.ndarray, "*shape"], n_out: int) -> Shaped[np.ndarray, "n_slices n_out"]:
    """The plane's slices: the matrix of (prod(shape[:-1]), shape[-1]) in groups of n_out rows, each column a slice.

    Slice g N + n is column n of group g, N the columns; what passes the last row is zero. So of a kernel (in, out) a
    slice is n_out inputs of one output unit, of a convolution's a part of the flattened window of one output channel.
    """
    n_inputs, n_outputs = matrix_shape(plane.shape)
    padded = np.zeros((-(-n_inputs // n_out) * n_out, n_outputs), plane.dtype)
    padded[:n_inputs] = plane.reshape(n_inputs, n_outputs)
    return padded.reshape(-1, n_out, n_outputs).transpose(0, 2, 1).reshape(-1, n_out)


def from_groups(
    slices: Shaped[np.ndarray, "n_slices n_out"], shape: tuple[int, ...]
) -> Shaped[np.ndarray, "*shape"]:
    """The plane that `to_groups` cut."""
    n_inputs, n_outputs = matrix_shape(shape)
    groups = slices.reshape(-1, n_outputs, slices.shape[1]).transpose(0, 2, 1)
    return groups.reshape(-1, n_outputs)[:n_inputs].reshape(shape)
