"""The safetensors layer against the safetensors library, both ways, and what it refuses."""

import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.container.tensors import DTYPES, Raw, from_bytes, to_bytes

# The library's NumPy half knows only NumPy's own dtypes.
arrays = st.sampled_from(
    [dtype for dtype in DTYPES.values() if dtype.type.__module__ == "numpy" and dtype.kind != "c"]
).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name != "__metadata__"
)
contents = st.dictionaries(names, arrays, max_size=5)
strings = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text('aé\n"\\'), max_size=3)


def same(a, b):
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype
        and a[name].shape == b[name].shape
        and a[name].tobytes() == b[name].tobytes()
        for name in a
    )


@given(tensors=contents, metadata=strings)
def test_round_trip(tensors, metadata):
    read, strings = from_bytes(to_bytes(tensors, metadata))
    assert same(read, tensors)
    assert strings == metadata


@given(tensors=contents, metadata=strings)
def test_the_library_reads_what_is_written(tensors, metadata):
    assert same(safetensors.numpy.load(to_bytes(tensors, metadata)), tensors)


@given(tensors=contents, metadata=strings)
def test_what_the_library_writes_is_read(tensors, metadata):
    assume(tensors or metadata)  # with neither the library writes a header that is not JSON
    read, strings = from_bytes(safetensors.numpy.save(tensors, metadata))
    assert same(read, tensors)
    assert strings == metadata


@given(tensors=contents, metadata=strings)
def test_order_of_insertion_does_not_matter(tensors, metadata):
    turned = dict(reversed(tensors.items())), dict(reversed(metadata.items()))
    assert to_bytes(*turned) == to_bytes(tensors, metadata)


def test_bfloat16_round_trip():
    tensors = {
        "a": np.arange(6).astype(DTYPES["BF16"]).reshape(2, 3),
        "b": np.array(0.1).astype(DTYPES["BF16"]),
    }
    assert same(from_bytes(to_bytes(tensors, {}))[0], tensors)
    assert safetensors.deserialize(to_bytes(tensors, {}))[0][1]["dtype"] == "BF16"


def test_every_tensor_is_aligned():
    tensors = {"a": np.zeros(3, np.uint8), "b": np.zeros(5, np.float16), "c": np.zeros(1, np.float64)}
    data = to_bytes(tensors, {})
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    for name, array in tensors.items():
        assert (8 + n + header[name]["data_offsets"][0]) % array.itemsize == 0


@pytest.mark.parametrize("id", sorted(DTYPES))
def test_every_dtype_comes_back(id):
    tensors = {
        "a": np.arange(6).astype(DTYPES[id]).reshape(2, 3),
        "b": Raw("U4", (3, 2), np.arange(3, dtype=np.uint8)),
    }
    read, _ = from_bytes(to_bytes(tensors, {}))
    b = read.pop("b")
    assert same(read, {"a": tensors["a"]})
    assert (b.dtype, b.shape, b.data.tolist()) == ("U4", (3, 2), [0, 1, 2])


@pytest.mark.parametrize("dtype", [np.complex128, np.longdouble, "S2", object])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match=r"is not one of BOOL, U8, .*, F64"):
        to_bytes({"a": np.zeros(3, dtype)}, {})


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"dtype": "c64", "shape": [1], "data_offsets": [0, 8]}, "tensor 'a' has dtype 'c64'"),
        ({"dtype": "F4", "shape": [9], "data_offsets": [0, 5]}, "tensor 'a' ends at byte"),
        ({"dtype": "U8", "shape": [1] * 65, "data_offsets": [0, 1]}, "tensor 'a' has shape"),
        ({"dtype": "U8", "shape": [2**62, 0, 2**62], "data_offsets": [0, 0]}, "tensor 'a' has shape"),
        ({"dtype": "BOOL", "shape": [4], "data_offsets": [0, 4]}, "tensor 'a' has a byte that is neither"),
        ({"dtype": ["U8"], "shape": [4], "data_offsets": [0, 4]}, "tensor 'a' has dtype"),
        ({"dtype": "U8", "shape": [4]}, "tensor 'a' has a header entry other"),
        ({"dtype": "U8", "shape": [-4], "data_offsets": [0, 4]}, r"tensor 'a' has shape \[-4\]"),
        ({"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}, r"tensor 'a' has shape \[True\]"),
        ({"dtype": "U8", "shape": [4], "data_offsets": [0, 4, 4]}, "tensor 'a' has shape"),
        ({"dtype": "U8", "shape": [4], "data_offsets": [1, 5]}, "tensor 'a' begins at byte 1"),
        ({"dtype": "U8", "shape": [3], "data_offsets": [0, 4]}, "tensor 'a' takes 4 bytes"),
        ({"dtype": "U8", "shape": [5], "data_offsets": [0, 5]}, "tensor 'a' ends at byte"),
        ({"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}, "the tensors end at byte"),
        (7, "tensor 'a' has a header entry other"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(entry, match):
    with pytest.raises(ValueError, match=match):
        from_bytes(with_header(json.dumps({"a": entry}).encode()))


@pytest.mark.parametrize(
    "header", [b"", b"{", b"[]", b"\xff\xff", b"[" * 100_000, b'{"__metadata__": {"a": 1}}']
)
def test_a_damaged_header_is_refused(header):
    with pytest.raises(ValueError, match="header: "):
        from_bytes(with_header(header))


def test_a_name_that_is_no_unicode_is_refused():
    header = json.dumps({"a\ud800": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    with pytest.raises(ValueError, match=r"header: 'a\\ud800' is no Unicode text"):
        from_bytes(with_header(header))


def test_what_has_no_header_is_no_safetensors_file():
    for data in (b"PK\3\4\x14\0\0\0" + bytes(99), b"import numpy as np\n"):
        with pytest.raises(ValueError, match="it is no safetensors file: its first 8 bytes give a header of"):
            from_bytes(data)


def test_a_short_file_is_refused():
    for n in range(8):
        with pytest.raises(ValueError, match="header: it ends at byte"):
            from_bytes(b"\x10" * n)


def with_header(header):
    return len(header).to_bytes(8, "little") + header + b"\2\0\0\0"
