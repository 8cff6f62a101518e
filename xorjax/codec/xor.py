"""The XOR code: a code word for each slice of a plane, and patches where it misses a care bit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

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
from xorjax.codec.patches import PATCH_FORMATS, CareSlices
from xorjax.codec.plane import ENCODERS, METHODS, STREAMS, CodedPlane, put_out, read, search, write
from xorjax.codec.predict import choose_n_out
from xorjax.codec.slicing import SLICINGS, count_slices, from_slices, to_slices
from xorjax.gf2.network import MAX_N_IN, NetworkError, XorNetwork
from xorjax.gf2.pack import pack_codes, unpack_codes
from xorjax.settings import Range, setting

_SEED = Range(0, 2**64 - 1)
_MAX_N_OUT = 2**20
DRAWN_BITS = 2**20
"""Of a matrix that a file need not hold, all draws until full rank together; or as many as the layer's planes have."""


@CODES.register
@dataclass(frozen=True)
class XorCode(Code):
    """Slices of n_out signs as code words of n_in bits, put out by a fixed random matrix over GF(2).

    Streams of plane p: "p/codes", "p/patch_counts" and "p/patch_positions". All layers of one matrix share it; a file
    stores it only where it is not drawn from `seed`.
    """

    id: ClassVar[str] = "xor"
    beside: ClassVar[tuple[str | None, ...]] = ()

    n_in: int = setting(20, Range(1, MAX_N_IN), "Bits of a code word.", per_layer=True)
    n_out: int | None = setting(
        None,
        Range(2, _MAX_N_OUT),
        "Bits of a slice, more than n_in; null: the multiple of 32 with the fewest predicted bits for the layer's "
        "mask, or what fill says.",
        per_layer=True,
    )
    fill: float | None = setting(
        None,
        Range(0, 2, ("low",)),
        "In place of n_out: kept weights of a slice over n_in, on the average.",
        per_layer=True,
        applies=lambda code: code.n_out is None,
    )
    slicing: str = setting(
        "interleaved", SLICINGS, "Which weights make a slice, see docs/method.md.", per_layer=True
    )
    slicing_seed: int = setting(
        0, _SEED, "Of shuffled slices.", per_layer=True, applies=lambda code: code.slicing == "shuffled"
    )
    seed: int | None = setting(
        0, _SEED, "What the matrix is drawn from; null in files of a matrix that was given.", per_layer=True
    )
    taps: int | None = setting(
        None, Range(1, MAX_N_IN), "Ones in each row of the matrix; null: each is 1 by chance.", per_layer=True
    )
    method: str = setting(
        "minimum", METHODS, "Search: the fewest patches, or the paper's greedy one.", per_layer=True
    )
    encoder: str = setting(
        "numba",
        ENCODERS,
        "numba, or galois: slow, the same answer bit for bit.",
        per_layer=True,
        determines=False,
    )
    patch_format: str = setting("care", tuple(PATCH_FORMATS), "How patches are written.", per_layer=True)
    patch_block: int = setting(
        16,
        Range(1, 2**24),
        "Slices that share a width of counts, in the patch format blocked.",
        per_layer=True,
        applies=lambda code: code.patch_format == "blocked",
    )

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        """As `Code.encode`. If n_out is not given, it is chosen from the mask. Memory stays within a few bytes a
        weight.

        Raises:
            CodeError: a setting cannot be, does not go with another or gives no network; or as `Code.encode`.
        """
        check_settings(self)
        check_planes(planes, mask)
        care = np.ones(planes.shape[1:], np.bool_) if mask is None else mask
        for clash in self.clashes(1 - np.count_nonzero(care) / care.size):
            raise CodeError(clash)
        n_out = self._choose_n_out(care)
        assert self.seed is not None
        try:
            net = draw_network(self.n_in, n_out, self.seed, self.taps)
        except ValueError as error:
            raise CodeError(str(error)) from error
        code = replace(self, n_out=n_out, fill=None)
        cut = (net.n_out, code.slicing, code.slicing_seed)
        of_care, coded = to_slices(care, *cut), []
        for p, plane in enumerate(planes):
            told = partial(_tell_part, tell, p, len(planes))
            coded.append(search(to_slices(plane, *cut), of_care, net, code.method, code.encoder, told))
        del of_care  # what follows needs the room
        return assemble(code, net, care, coded)

    def _choose_n_out(self, care: Mask) -> int:
        if self.n_out is not None:
            return self.n_out
        if self.fill is not None:
            return self._filled(Fraction(max(1, int(np.count_nonzero(care))), care.size))
        return choose_n_out(
            self.n_in,
            care,
            method=self.method,
            patch_format=self.patch_format,
            patch_block=self.patch_block,
            slicing=self.slicing,
            slicing_seed=self.slicing_seed,
        )

    def _filled(self, kept: Fraction) -> int:
        """n_out by `fill`, where this share of the weights is kept."""
        # Exact in the decimals that the user wrote, so that a half never depends on binary rounding.
        return round(Fraction(repr(self.fill)) * self.n_in / kept)

    def clashes(self, prune_rate: float | None = None) -> Iterator[str]:
        """As `Code.clashes`."""
        if self.taps is not None and self.taps > self.n_in:
            yield f"taps is {self.taps}; it must be at most n_in, {self.n_in}"
        if self.n_out is not None and self.fill is not None:
            yield f"fill is {self.fill}; it must be null where n_out is given, here {self.n_out}"
        if self.n_out is not None and self.n_out <= self.n_in:
            yield f"n_out is {self.n_out}; it must be more than n_in, {self.n_in}"
        if prune_rate is None:
            return
        if self.seed is None:
            yield "seed is null; it must be a number that the matrix is drawn from"
        if self.n_out is None and self.fill is not None and prune_rate < 1:
            n_out = self._filled(1 - Fraction(repr(float(prune_rate))))
            if not self.n_in < n_out <= _MAX_N_OUT:
                yield (
                    f"fill {self.fill} gives n_out {n_out} (fill * n_in / (1 - prune rate {prune_rate:g})); "
                    f"n_out must be more than n_in, {self.n_in}, and at most {_MAX_N_OUT}"
                )

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        """As `Code.decode`; each stream must be the one that an encoder writes for its values."""
        coded, net = list(self.read(encoded, mask)), network(encoded)
        planes = np.empty((encoded.n_planes, *encoded.shape), np.bool_)
        for p, plane in enumerate(coded):
            planes[p] = from_slices(put_out(plane, net), encoded.shape, self.slicing, self.slicing_seed)
        return planes

    def read(self, encoded: EncodedPlanes, mask: Mask | None) -> Iterator[CodedPlane]:
        """The planes' code words and patches, one after the other.

        Raises:
            ValueError: as `decode`.
        """
        check_settings(self)
        net = network(encoded)
        n_slices = count_slices(encoded.shape, net.n_out, self.slicing)
        check_streams(encoded, STREAMS, ("matrix",))
        n_bytes = -(-n_slices * net.n_in // 8)
        for p in range(encoded.n_planes):
            # Before the mask is cut, so that a shape that lies costs nothing.
            n_held = len(encoded.streams[f"{p}/codes"])
            if n_held != n_bytes:
                raise ValueError(
                    f"stream '{p}/codes': {n_held} bytes are not {n_slices} code words of {net.n_in} bits"
                )
        slices, n_patches = care_slices(self, encoded.shape, mask), 0
        for p in range(encoded.n_planes):
            plane = read(encoded.streams, slices, self.patch_format, f"{p}/")
            n_patches += len(plane.patch_positions)
            yield plane
        if encoded.notes.get("n_patches", n_patches) != n_patches:
            raise ValueError(f"n_patches is noted as {encoded.notes['n_patches']}, but there are {n_patches}")
        n_bounded = encoded.notes.get("n_bounded", 0)
        if not 0 <= n_bounded <= encoded.n_planes * n_slices:
            raise ValueError(
                f"n_bounded must be 0 to the {encoded.n_planes * n_slices} slices, not {n_bounded}"
            )

    def draw(self, n_bits: int) -> Mapping[str, np.ndarray]:
        """As `Code.draw`: the matrix, if it is drawn from a seed."""
        if self.seed is None or self.n_out is None or self.n_in * self.n_out > max(DRAWN_BITS, n_bits):
            return {}
        matrix = _draw_matrix(self.n_in, self.n_out, self.seed, self.taps)
        return {} if matrix is None else {"matrix": matrix}

    def describe(self, encoded: EncodedPlanes) -> dict[str, Any]:
        net = network(encoded)
        return {
            "n_in": net.n_in,
            "n_out": net.n_out,
            "method": self.method,
            "patch_format": self.patch_format,
            "slicing": self.slicing,
            "xor_seed": self.seed,
            "xor_sha256": net.sha256,
            "n_slices": encoded.n_planes * count_slices(encoded.shape, net.n_out, self.slicing),
            "n_bounded": encoded.notes.get("n_bounded", 0),
            "n_patches": encoded.notes.get("n_patches"),
        }


@lru_cache(maxsize=64)
def draw_network(n_in: int, n_out: int, seed: int, taps: int | None = None) -> XorNetwork:
    """`XorNetwork.random`, drawn once for all layers that share it."""
    return XorNetwork.random(n_in, n_out, seed, taps)


@lru_cache(maxsize=16)
def _draw_matrix(n_in: int, n_out: int, seed: int, taps: int | None) -> UInt8[np.ndarray, " bytes"] | None:
    """The matrix as the shared array has it; None where `DRAWN_BITS` do not reach full rank."""
    try:
        net = XorNetwork.random(n_in, n_out, seed, taps, max(1, DRAWN_BITS // (n_in * n_out)))
    except NetworkError:
        return None
    matrix = pack_codes(net.rows, n_in)
    matrix.setflags(write=False)
    return matrix


def network(encoded: EncodedPlanes) -> XorNetwork:
    """The network of planes in the XOR code, from the matrix that they share.

    Raises:
        ValueError: the matrix is missing, or is not one of the code's n_out rows of n_in bits.
    """
    code, stream = encoded.code, encoded.shared.get("matrix")
    if not isinstance(code, XorCode) or code.n_out is None or stream is None:
        raise ValueError("n_out or the shared array 'matrix' is missing")
    if len(stream) != -(-code.n_in * code.n_out // 8):
        raise ValueError(
            f"shared array 'matrix': {len(stream)} bytes are not {code.n_out} rows of {code.n_in} bits"
        )
    rows = unpack_codes(stream, code.n_in, code.n_out)
    if not np.array_equal(pack_codes(rows, code.n_in), stream):
        raise ValueError("shared array 'matrix': a bit is set after the last row")
    bits = np.ascontiguousarray(rows, "<u8").view(np.uint8)
    net = XorNetwork.from_matrix(np.unpackbits(bits, axis=1, count=code.n_in, bitorder="little"))
    return XorNetwork(net.matrix, code.seed, code.taps)


def care_slices(code: XorCode, shape: tuple[int, ...], mask: Mask | None) -> CareSlices:
    """Where the care bits of the slices of a plane lie."""
    assert code.n_out is not None
    care = np.ones(shape, np.bool_) if mask is None else mask
    cut = to_slices(care, code.n_out, code.slicing, code.slicing_seed)
    return CareSlices.of(cut, code.n_in, code.patch_block)


def assemble(code: XorCode, net: XorNetwork, care: Mask, coded: Sequence[CodedPlane]) -> EncodedPlanes:
    """The planes as a file holds them."""
    slices = care_slices(code, care.shape, care)
    streams = {
        f"{p}/{name}": stream
        for p, plane in enumerate(coded)
        for name, stream in write(plane, slices, code.patch_format).items()
    }
    notes = {
        "n_bounded": sum(plane.n_bounded for plane in coded),
        "n_patches": sum(len(plane.patch_positions) for plane in coded),
    }
    shared = {"matrix": pack_codes(net.rows, net.n_in)}
    return EncodedPlanes(code, care.shape, len(coded), streams, shared, notes)


def _tell_part(tell: Tell, part: int, parts: int, done: float) -> None:
    tell((part + done) / parts)
