"""Bits and fixed-width fields packed into words: least significant bit first, little-endian, back to back."""

import numpy as np
from jaxtyping import Integer, Shaped, UInt8, UInt64


def pack_bits(
    bits: Shaped[np.ndarray, "*k n"], dtype: type[np.unsignedinteger] = np.uint32
) -> Shaped[np.ndarray, "*k words"]:
    """Bit i of a row becomes bit i % 32 of its word i // 32 (64 in words of 64); the last word's tail is zero."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    size = np.dtype(dtype).itemsize
    words = np.zeros((*bits.shape[:-1], -(-packed.shape[-1] // size)), dtype=f"<u{size}")
    words.view(np.uint8)[..., : packed.shape[-1]] = packed
    return words.astype(dtype, copy=False)


def pack_fields(values: Integer[np.ndarray, " k"], width: int) -> UInt8[np.ndarray, " bytes"]:
    """Writes each value as a field of `width` bits (0 to 64), fields back to back, padded to a whole byte.

    Raises:
        ValueError: `width` is out of range, or a value does not fit it.
    """
    _check_width(width, 64)
    # Python integers, because neither NumPy's int64 nor its uint64 holds both -1 and 2**64 - 1.
    if len(values) and (int(values.min()) < 0 or int(values.max()) >> width):
        raise ValueError(f"values {values.min()} to {values.max()} do not fit fields of {width} bits")
    return pack_codes(values.astype(np.uint64)[:, None], width)


def unpack_fields(stream: UInt8[np.ndarray, " bytes"], width: int, k: int) -> UInt64[np.ndarray, " k"]:
    """The first `k` fields of `width` bits of `stream`.

    Raises:
        ValueError: `width` is out of range, or the stream is too short.
    """
    _check_width(width, 64)
    return unpack_codes(stream, width, k)[:, 0]


def pack_codes(codes: UInt64[np.ndarray, "k words"], width: int) -> UInt8[np.ndarray, " bytes"]:
    """Writes each code word as a field of `width` bits (0 to 64 times the words), as `pack_fields` does.

    Bit j of a code word is bit j % 64 of its word j // 64.

    Raises:
        ValueError: `width` is out of range, or a code word does not fit it.
    """
    k, words = codes.shape
    _check_width(width, 64 * words)
    fields = np.ascontiguousarray(codes, dtype="<u8").view(np.uint8).reshape(k, 8 * words)
    if fields[:, -(-width // 8) :].any() or (width % 8 and (fields[:, width // 8] >> width % 8).any()):
        raise ValueError(f"a code word does not fit a field of {width} bits")
    bits = np.unpackbits(fields[:, : -(-width // 8)], axis=1, count=width, bitorder="little")
    return np.packbits(bits, bitorder="little")


def unpack_codes(stream: UInt8[np.ndarray, " bytes"], width: int, k: int) -> UInt64[np.ndarray, "k words"]:
    """The first `k` code words of `width` bits of `stream`, in ceil(width / 64) words each (one at least).

    Raises:
        ValueError: `width` is out of range, or the stream is too short.
    """
    _check_width(width, 128)
    if k * width > 8 * len(stream):
        raise ValueError(f"{len(stream)} bytes do not hold {k} fields of {width} bits")
    bits = np.unpackbits(stream, count=k * width, bitorder="little").reshape(k, width)
    return pack_bits(bits if width else np.zeros((k, 1), dtype=np.uint8), np.uint64)


def _check_width(width: int, most: int) -> None:
    if not 0 <= width <= most:
        raise ValueError(f"a field's width is 0 to {most} bits, not {width}")
