"""idx files: read exactly, and whatever is wrong with one is said with its name."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.data import DataError
from xorjax.data.idx import read_idx


def content_of(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple), zipped=st.booleans())
def test_reads_what_was_written(folder, shape, zipped):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    content = content_of(array)
    path = folder / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(content) if zipped else content)
    read = read_idx(path, shape, hashlib.md5(content).hexdigest())
    assert read.dtype == np.uint8
    assert np.array_equal(read, array)


ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = content_of(ARRAY)
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not an idx file"),
        (b"plain text", "damaged"),
        (gzip.compress(CONTENT)[:-9], "damaged"),
        (gzip.compress(CONTENT)[:20] + b"\xff\xff\xff\xff" + gzip.compress(CONTENT)[24:], "damaged"),
        (gzip.compress(CONTENT[:-1]), "damaged: 39 bytes unpacked, expected 40"),
        (gzip.compress(CONTENT + b"\0"), "damaged: 41 bytes unpacked, expected 40"),
        (gzip.compress(CONTENT[:9]), "not an idx file"),
        (gzip.compress(b"\0\0\x0d\x03" + CONTENT[4:]), "not an idx file"),
        (gzip.compress(content_of(ARRAY[:1])), r"wrong file: .*\(1, 3, 4\), expected \(2, 3, 4\)"),
        (gzip.compress(content_of(ARRAY ^ 1)), f"not the canonical file: .* expected {MD5}"),
    ],
    # By the bytes they would change from second to second: gzip writes the time.
    ids=[
        "empty",
        "text",
        "cut",
        "other bytes",
        "short",
        "long",
        "no header",
        "floats",
        "fewer",
        "other values",
    ],
)
def test_a_bad_file_is_named(tmp_path, raw, words):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte.gz is.*{words}"):
        read_idx(path, ARRAY.shape, MD5)
