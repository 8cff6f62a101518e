"""What a mask codec is: a mask to named streams of bytes, and back, exactly.

A mask is encoded once, when a layer is compressed. The container writes the streams, each as one tensor; they
hold all that `decode` needs except the shape, which the container's JSON spec gives. A mask is decoded once,
when a file is loaded, never in the forward pass: a layer keeps it as packed words.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

Streams = dict[str, UInt8[np.ndarray, " _"]]
"""Named streams; index bits, value bits and so on are counted as 8 times their lengths."""


@runtime_checkable
class MaskCodec(Protocol):
    """One way of storing a mask. `id` is the name a file and a config know it by."""

    @property
    def id(self) -> str: ...

    @property
    def stream_names(self) -> tuple[str, ...]: ...

    def encode(self, mask: Bool[np.ndarray, "*shape"]) -> Streams:
        """The streams of `mask`, a function of its values in row-major order."""
        ...

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        """The mask that `encode` was given.

        Raises:
            ValueError: a stream is missing, has the wrong length or contradicts another; it is named.
        """
        ...


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


def bits_to_bytes(bits: Bool[np.ndarray, " _"]) -> UInt8[np.ndarray, " _"]:
    """Eight bits a byte, least significant first; the last byte's tail is zero."""
    return np.packbits(bits, bitorder="little")


def read_bits(streams: Streams, name: str, n: int) -> Bool[np.ndarray, " _"]:
    """The `n` bits of the stream called `name`: the inverse of `bits_to_bytes`.

    Raises:
        ValueError: the stream is missing, or does not have the bytes that `n` bits fill.
    """
    stream = read_stream(streams, name, -(-n // 8))
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
