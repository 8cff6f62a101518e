"""Bits and fixed-width fields packed into words: least significant bit first, little-endian, back to back."""

import numpy as np
from jaxtyping import Bool, Integer, Shaped, UInt8, UInt32, UInt64


def pack_bits(
    bits: Shaped[np.ndarray, "*k n"], dtype: type[np.unsignedinteger] = np.uint32
) -> Shaped[np.ndarray, "*k words"]:
    """Bit i of the last axis becomes bit i % 32 of word i // 32 (64 in words of 64); the last word's tail is zero."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    size = np.dtype(dtype).itemsize
    words = np.zeros((*packed.shape[:-1], -(-packed.shape[-1] // size) * size), dtype=np.uint8)
    words[..., : packed.shape[-1]] = packed
    return words.view(f"<u{size}").astype(dtype, copy=False)


def unpack_bits(words: UInt32[np.ndarray, " words"], n: int) -> Bool[np.ndarray, " n"]:
    """The first `n` bits of `words`.

    Raises:
        ValueError: there are fewer than `n` bits.
    """
    if n > 32 * len(words):
        raise ValueError(f"{len(words)} words hold {32 * len(words)} bits, not the {n} asked for")
    stream = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    return np.unpackbits(stream, count=n, bitorder="little").astype(bool)


def pack_fields(values: Integer[np.ndarray, " k"], width: int) -> UInt8[np.ndarray, " bytes"]:
    """Writes each value as a field of `width` bits (0 to 64), fields back to back, padded to a whole byte.

    Raises:
        ValueError: `width` is out of range, or a value does not fit it.
    """
    _check_width(width)
    values = np.asarray(values)
    # Python integers, because neither NumPy's int64 nor its uint64 holds both -1 and 2**64 - 1.
    if len(values) and (int(values.min()) < 0 or int(values.max()) >> width):
        raise ValueError(f"values {values.min()} to {values.max()} do not fit fields of {width} bits")
    fields = np.ascontiguousarray(values, dtype="<u8").view(np.uint8).reshape(len(values), 8)
    bits = np.unpackbits(fields[:, : -(-width // 8)], axis=1, count=width, bitorder="little")
    return np.packbits(bits, bitorder="little")


def unpack_fields(stream: UInt8[np.ndarray, " bytes"], width: int, k: int) -> UInt64[np.ndarray, " k"]:
    """The first `k` fields of `width` bits of `stream`.

    Raises:
        ValueError: `width` is out of range, or the stream is too short.
    """
    _check_width(width)
    if k * width > 8 * len(stream):
        raise ValueError(f"{len(stream)} bytes do not hold {k} fields of {width} bits")
    bits = np.unpackbits(stream, count=k * width, bitorder="little").reshape(k, width)
    fields = np.zeros((k, 8), dtype=np.uint8)
    fields[:, : -(-width // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return fields.view("<u8").reshape(k).astype(np.uint64, copy=False)


def pack_codes(codes: UInt64[np.ndarray, "k words"], width: int) -> UInt8[np.ndarray, " bytes"]:
    """Writes each code word as a field of `width` bits (0 to 64 times the words), as `pack_fields` does.

    Bit j of a code word is bit j % 64 of its word j // 64.

    Raises:
        ValueError: `width` is out of range, or a code word does not fit it.
    """
    k, words = codes.shape
    _check_code_width(width, words)
    fields = np.ascontiguousarray(codes, dtype="<u8").view(np.uint8).reshape(k, 8 * words)
    bits = np.unpackbits(fields, axis=1, bitorder="little")
    if bits[:, width:].any():
        raise ValueError(f"a code word does not fit a field of {width} bits")
    return np.packbits(bits[:, :width], bitorder="little")


def unpack_codes(stream: UInt8[np.ndarray, " bytes"], width: int, k: int) -> UInt64[np.ndarray, "k words"]:
    """The first `k` code words of `width` bits of `stream`, in ceil(width / 64) words each.

    Raises:
        ValueError: `width` is out of range, or the stream is too short.
    """
    words = max(1, -(-width // 64))
    _check_code_width(width, 2)
    if k * width > 8 * len(stream):
        raise ValueError(f"{len(stream)} bytes do not hold {k} fields of {width} bits")
    bits = np.unpackbits(stream, count=k * width, bitorder="little").reshape(k, width)
    codes = np.zeros((k, 8 * words), dtype=np.uint8)
    codes[:, : -(-width // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return codes.view("<u8").astype(np.uint64, copy=False)


def _check_width(width: int) -> None:
    if not 0 <= width <= 64:
        raise ValueError(f"a field's width is 0 to 64 bits, not {width}")


def _check_code_width(width: int, words: int) -> None:
    if not 0 <= width <= 64 * words:
        raise ValueError(f"a code word's width is 0 to {64 * words} bits, not {width}")
