"""What a mask codec is: a mask to named streams of bytes, and back.

An exact codec writes any mask; an approximate one writes a mask of its own that keeps the most score, and the
network is trained under that one. Either way the streams hold all that `decode` needs except the shape, which
the container's JSON spec gives; the container writes each as one tensor.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log2, prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from xorjax.registry import Registry
from xorjax.settings import Range

Streams = dict[str, UInt8[np.ndarray, " _"]]
"""Named streams; index bits, value bits and so on are counted as 8 times their lengths."""


@runtime_checkable
class MaskCodec(Protocol):
    """One way of storing a mask. `id` is the name a file and a config know it by."""

    @property
    def id(self) -> str: ...

    @property
    def stream_names(self) -> tuple[str, ...]: ...

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        """The mask that the streams hold.

        Raises:
            ValueError: a stream is missing, has the wrong length or contradicts another; it is named.
        """
        ...


@runtime_checkable
class ExactCodec(MaskCodec, Protocol):
    """A codec that stores any mask as it is: one that has `encode`."""

    def encode(self, mask: Bool[np.ndarray, "*shape"]) -> Streams:
        """The streams of `mask`, a function of its values in row-major order."""
        ...


@runtime_checkable
class ApproximateCodec(MaskCodec, Protocol):
    """A codec that stores some masks only, one that has `fit`: pruning must take one of them.

    `settings` is a frozen dataclass of `xorjax.settings`. The suite sets those called `index_bits` and `seed`,
    `xorjax compress` any of them.
    """

    @property
    def settings(self) -> type: ...

    def fit(self, scores: Float32[np.ndarray, "*shape"], prune_rate: float, settings: Any) -> Streams:
        """The streams of the expressible mask of about this prune rate that keeps the most score."""
        ...


INDEX_BITS = Range(0, 1, ("low",))
"""What an approximate mask may cost, in bits a weight."""

MASK_CODECS: Registry[MaskCodec] = Registry("xorjax.masks", "mask codec")
"""All mask codecs by id. To add one, write a module in this package and register an instance."""


@dataclass(frozen=True, eq=False)
class EncodedMask:
    """A mask as a file holds it.

    Attributes:
        codec: the id of the codec that made the streams.
        shape: the mask's.
        streams: exactly the bytes that are written.
    """

    codec: str
    shape: tuple[int, ...]
    streams: Streams

    def __repr__(self) -> str:
        rate = f"{self.bits_per_weight:.4f} bits/weight" if self.n_weights else "no weights"
        return f"EncodedMask({self.shape}, {self.codec!r}, {rate})"

    @cached_property
    def mask(self) -> Bool[np.ndarray, "..."]:
        """The mask that the streams hold, decoded once; read-only.

        Raises:
            ValueError: the codec is unknown, or a stream is missing or malformed; it is named.
        """
        mask = MASK_CODECS.find(self.codec).decode(self.streams, self.shape)
        mask.flags.writeable = False
        return mask

    @property
    def n_weights(self) -> int:
        return prod(self.shape)

    @property
    def nbits(self) -> dict[str, int]:
        """Bits of each stream, whole bytes."""
        return {name: 8 * len(stream) for name, stream in self.streams.items()}

    @property
    def bits_per_weight(self) -> float:
        """Index bits: all streams, over all weights, pruned ones included."""
        return sum(self.nbits.values()) / self.n_weights


def n_kept(n_weights: int, prune_rate: float) -> int:
    """How many of `n_weights` weights stay at `prune_rate`: the nearest count, at least one."""
    return max(1, n_weights - round(prune_rate * n_weights))


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a kernel of any rank: a column for each output, a row for each input of one."""
    return (prod(shape[:-1]), shape[-1]) if shape else (1, 1)


def check_limits(settings: object, limits: dict[str, int], shape: tuple[int, ...]) -> None:
    """Raises ValueError where a mask of this shape has no weights, or a setting is not 1 to its limit."""
    if not prod(shape):
        raise ValueError(f"a mask of shape {shape} has no weights")
    for name, limit in limits.items():
        value = getattr(settings, name)
        if not 1 <= value <= limit:
            raise ValueError(f"{name} is {value}, expected 1 to {limit} for shape {shape}")


def default_index_bits(prune_rate: float) -> float:
    """What an approximate mask may cost a weight where nothing is said: a quarter of the prune rate's entropy."""
    return 0.25 * sum(-p * log2(p) for p in (prune_rate, 1 - prune_rate) if p > 0)


def read_stream(streams: Streams, name: str, n_bytes: int | None = None) -> UInt8[np.ndarray, " _"]:
    """The stream called `name`.

    Raises:
        ValueError: it is missing, or does not have `n_bytes` bytes where that is given.
    """
    if name not in streams:
        raise ValueError(f"stream {name!r} is missing; there are {sorted(streams)}")
    if n_bytes is not None and len(streams[name]) != n_bytes:
        raise ValueError(f"stream {name!r} has {len(streams[name])} bytes, not {n_bytes}")
    return streams[name]


def bits_to_bytes(bits: Bool[np.ndarray, " _"] | UInt8[np.ndarray, " _"]) -> UInt8[np.ndarray, " _"]:
    """Eight bits a byte, least significant first; the last byte's tail is zero."""
    return np.packbits(bits, bitorder="little")


def read_bits(streams: Streams, name: str, n: int) -> Bool[np.ndarray, " _"]:
    """The `n` bits of the stream called `name`: the inverse of `bits_to_bytes`.

    Raises:
        ValueError: the stream is missing, or is not what `n` bits are written as.
    """
    stream = read_canonical(streams, name, n)
    return np.unpackbits(stream, count=n, bitorder="little").view(np.bool_)


def count_to_bytes(count: int) -> UInt8[np.ndarray, " _"]:
    """A count as eight bytes, least significant first."""
    return np.frombuffer(count.to_bytes(8, "little"), dtype=np.uint8)


def read_count(streams: Streams, name: str, largest: int) -> int:
    """The count in the stream called `name`: the inverse of `count_to_bytes`.

    Raises:
        ValueError: the stream is missing, is not eight bytes long, or holds more than `largest`.
    """
    count = int.from_bytes(read_stream(streams, name, 8).tobytes(), "little")
    if count > largest:
        raise ValueError(f"stream {name!r} counts {count} of {largest}")
    return count


def read_canonical(streams: Streams, name: str, n_bits: int) -> UInt8[np.ndarray, " _"]:
    """The stream called `name`, which holds `n_bits` bits and nothing after them.

    Raises:
        ValueError: it is missing, does not have the bytes that `n_bits` bits fill, or has a bit set after them.
    """
    stream = read_stream(streams, name, -(-n_bits // 8))
    if n_bits % 8 and stream[-1] >> n_bits % 8:
        raise ValueError(f"stream {name!r} has a bit set after its {n_bits} bits")
    return stream


def runs_of_zeros(mask: Bool[np.ndarray, "*shape"]) -> Int64[np.ndarray, " kept"]:
    """The number of pruned weights before each kept one and after the kept one before it, in row-major order."""
    return np.diff(np.flatnonzero(mask), prepend=-1) - 1


def set_after_runs(
    name: str, runs: Int64[np.ndarray, " kept"], shape: tuple[int, ...]
) -> Bool[np.ndarray, "..."]:
    """The mask whose `runs_of_zeros` are `runs`.

    Raises:
        ValueError: the runs pass the end of the mask; the message blames the stream `name`.
    """
    mask = np.zeros(prod(shape), dtype=np.bool_)
    kept = np.cumsum(runs + 1) - 1
    if len(kept) and kept[-1] >= len(mask):
        raise ValueError(f"stream {name!r} reaches weight {kept[-1]} of {len(mask)}")
    mask[kept] = True
    return mask.reshape(shape)
