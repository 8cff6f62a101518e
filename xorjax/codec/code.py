"""What a code is: a layer's bit planes to named streams of bytes, and back. One a file, in one registry.

A mask belongs to the layer, not to the code. A separate mask codec stores it beside the streams, and every decoder
receives it. A code may leave wrong signs where the mask is False, and may be used without any mask.

To add one, write a module in this package: a frozen dataclass under `Code` whose fields are its settings
(`xorjax.settings`), with `id`, `encode` and `decode`, registered by `@CODES.register`. The base `KeptSigns` does the
rest for a code that writes each plane's kept signs by themselves. Files, the command line and sweeps need no more. Two
additions make a code fast. A decoder of the same id in `decoding` reads the streams inside jit; without one, the planes
are decoded once, when a file is loaded, and held as one bit a weight. The decoder's `product` multiplies `x @ W`
without decoding.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from xorjax.errors import UserError
from xorjax.masks.base import Streams
from xorjax.registry import Registry
from xorjax.settings import problems

Planes = Bool[np.ndarray, "planes *shape"]
Mask = Bool[np.ndarray, "*shape"]


class CodeError(UserError, ValueError):
    """Settings of a code that cannot be, or planes that it cannot encode."""


Tell = Callable[[float], None]
"""Is told, now and then, which fraction of the work is done."""


@dataclass(frozen=True, eq=False)
class EncodedPlanes:
    """The bit planes of one layer as a file holds them.

    Attributes:
        code: how they are encoded; what was chosen automatically (n_out) is filled in.
        shape: that of a plane.
        n_planes: how many.
        streams: the bytes by name, "0/codes" for plane 0. They are what the layer costs.
        shared: arrays that layers have in common, by name ("matrix"). A file stores none that the code draws, and
            equal others once; no layer's bits count them.
        notes: what the encoder says beyond that, for tables: numbers by name, such as "n_bounded".
    """

    code: "Code"
    shape: tuple[int, ...]
    n_planes: int
    streams: Streams
    shared: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        planes = f"{self.n_planes} plane{'s' * (self.n_planes != 1)}"
        rate = sum(self.bits.values()) / self.n_weights
        return f"EncodedPlanes({self.shape}, {planes}, {self.code}, {rate:.4f} bits/weight)"

    @property
    def n_weights(self) -> int:
        return prod(self.shape)

    def misfits(self, mask: tuple[int, ...] | None, scales: tuple[int, ...]) -> Iterator[str]:
        """A sentence for each shape, of the mask (None: no mask) and of the scales, that does not fit the planes."""
        if mask is not None and tuple(mask) != tuple(self.shape):
            yield f"its mask has shape {list(mask)}, expected {list(self.shape)}"
        wanted = (self.n_planes, *self.shape)
        fits = len(scales) == len(wanted) and scales[0] == self.n_planes
        if not fits or any(n not in (1, full) for n, full in zip(scales, wanted, strict=True)):
            yield f"scales of shape {tuple(scales)} do not broadcast over {wanted}"

    def drawn(self) -> Mapping[str, np.ndarray]:
        """What `Code.draw` gives of this layer."""
        return self.code.draw(self.n_planes * self.n_weights)

    def given(self) -> dict[str, np.ndarray]:
        """The shared arrays that the code does not draw: what a file has to store of them."""
        drawn = self.drawn()
        return {
            name: array
            for name, array in self.shared.items()
            if name not in drawn or not np.array_equal(drawn[name], array)
        }

    @property
    def bits(self) -> dict[str, int]:
        """`code_bits` and `patch_bits`, from the streams' bytes."""
        counts = {"code_bits": 0, "patch_bits": 0}
        for name, stream in self.streams.items():
            counts["patch_bits" if is_of_patches(name) else "code_bits"] += 8 * len(stream)
        return counts


def is_of_patches(stream: str) -> bool:
    """Whether a stream of planes is of patches: one called "0/patch...", whatever is before it."""
    return stream.rpartition("/")[2].startswith("patch")


@runtime_checkable
class Code(Protocol):
    """A way of storing signs, with its settings: a frozen dataclass, hashable, equal if it says the same.

    Settings are checked where the code is used (`encode`, `CompressSpec`, a configuration, a file) and not when it is
    made, so that a configuration tells all that is wrong with it at once.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    id: ClassVar[str]
    """Its name in files, settings and results."""

    beside: ClassVar[tuple[str | None, ...]]
    """A sweep shows the code beside every point, once for each of these mask codecs; None: without a mask."""

    trained: ClassVar[bool] = False
    """Whether it holds only some signs: what it encodes was trained in it, or projected."""

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        """The streams of the planes; True is the sign +1. `mask`: True = kept; None: every weight is.

        Raises:
            CodeError: a setting cannot be, the planes are empty, or their shape is not the mask's.
        """
        ...

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        """The planes, right wherever the mask is True, in NumPy: what the jitted decoder is held to.

        Memory stays within a multiple of streams and mask, whatever the streams claim.

        Raises:
            ValueError: a stream or a shared array is missing, has the wrong length, or holds what no encoder writes;
                it is named.
        """
        ...

    def project(self, weights: Float[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
        """The signs (True: +1) that stand for the weights: their own, or the nearest of a code that holds only some."""
        return weights >= 0

    def draw(self, n_bits: int) -> Mapping[str, np.ndarray]:
        """The shared arrays that the settings give, for planes of `n_bits` bits in all; read-only.

        A file holds their hashes in place of them. The work is bounded by a constant or a multiple of `n_bits`, and
        what would take more is not given.
        """
        return {}

    def describe(self, encoded: EncodedPlanes) -> dict[str, Any]:
        """Columns of results that say how and what: n_in, n_out, method, n_slices, n_patches, ..."""
        return {}

    def clashes(self, prune_rate: float | None = None) -> Iterator[str]:
        """A sentence for each setting that does not go with the others.

        `prune_rate` is that of a layer to be encoded; None: the code is that of a file.
        """
        return iter(())


def check_planes(planes: Planes, mask: Mask | None) -> None:
    """For `encode`.

    Raises:
        CodeError: there is no plane or no weight, or the mask has another shape.
    """
    if planes.size == 0:
        raise CodeError("a bit plane holds at least one weight, and a layer at least one plane")
    if mask is not None and mask.shape != planes.shape[1:]:
        raise CodeError(f"bit planes of shape {planes.shape[1:]} under a mask of shape {mask.shape}")


def check_streams(encoded: EncodedPlanes, names: tuple[str, ...], shared: tuple[str, ...] = ()) -> None:
    """For `decode`: the streams are `names` of each plane, the shared arrays are `shared`, and there is nothing else.

    Raises:
        ValueError: one is missing, or none of the code's; it is named.
    """
    streams = [f"{p}/{name}" for p in range(encoded.n_planes) for name in names]
    for what, wanted, held in (
        ("stream", streams, encoded.streams),
        ("shared array", shared, encoded.shared),
    ):
        for name in wanted:
            if name not in held:
                raise ValueError(f"{what} {name!r} is missing")
        for name in sorted(held.keys() - set(wanted)):
            raise ValueError(f"{what} {name!r} does not belong to the code {encoded.code.id!r}")


def check_settings(code: Code) -> None:
    """Whether each setting can be, and goes with the others.

    Raises:
        CodeError: one cannot be, or does not go with another; says which, and what it must be.
    """
    for problem in problems(code):
        raise CodeError(problem)
    for clash in code.clashes():
        raise CodeError(clash)


class KeptSigns(Code):
    """The base of codes that write the kept signs of each plane by themselves; `write` and `read` say how.

    The signs are in row-major order; without a mask all weights are kept.
    """

    stream_names: ClassVar[tuple[str, ...]]
    """A plane's streams."""

    @abstractmethod
    def write(self, kept: Bool[np.ndarray, " kept"]) -> Streams:
        """The streams of one plane by name."""
        ...

    @abstractmethod
    def read(self, streams: Streams, prefix: str, n: int) -> Bool[np.ndarray, " {n}"]:
        """The n signs whose streams `write` made, found under `prefix` + name.

        Raises:
            ValueError: a stream is not what n signs are written as; it is named.
        """
        ...

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        check_planes(planes, mask)
        streams = {
            f"{p}/{name}": stream
            for p, plane in enumerate(planes)
            for name, stream in self.write(plane.ravel() if mask is None else plane[mask]).items()
        }
        return EncodedPlanes(self, planes.shape[1:], len(planes), streams)

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        check_streams(encoded, self.stream_names)
        n = encoded.n_weights if mask is None else int(np.count_nonzero(mask))
        kept = [self.read(encoded.streams, f"{p}/", n) for p in range(encoded.n_planes)]
        if mask is None:
            return np.stack(kept).reshape(len(kept), *encoded.shape)
        planes = np.zeros((len(kept), *encoded.shape), dtype=np.bool_)
        planes[:, mask] = kept
        return planes


CODES: Registry[type[Code]] = Registry("xorjax.codec", "code")
"""All codes by id."""
