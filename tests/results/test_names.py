import pytest

from xorjax.codec import CODES
from xorjax.masks import APPROXIMATE_CODECS, EXACT_CODECS, MASK_CODECS
from xorjax.results import masks, names


def test_every_mask_codec_has_a_name_and_a_mark():
    assert set(names.MASK_NAMES) == set(MASK_CODECS)
    assert set(masks.MARKS) == set(names.MASK_NAMES)


def test_a_code_that_is_not_known_has_a_name_too():
    assert names.codec_name("signs", "golomb") == "Golomb + signs"
    assert names.codec_name("new", "golomb") == "Golomb + new"
    assert names.codec_name("new", None) == "new"
    assert names.codec_name("new", "newer") == "newer + new"
    assert names.code_name("xor", "minimum") == "XOR code, minimum"
    assert names.code_name("new") == "new"


def test_every_code_of_the_suite_has_a_name_with_every_mask_codec_beside_it():
    pairs = [(id, mask) for id, code in CODES.items() for mask in code.beside]
    assert names.CODEC_NAMES.keys() == set(pairs)
    assert len(set(names.CODEC_NAMES.values())) == len(pairs)


@pytest.mark.parametrize("codec", names.MASK_NAMES)
def test_the_glossary_explains_every_mask_codec(codec):
    kind = "approximate" if codec in APPROXIMATE_CODECS else "exact"
    assert codec in names.GLOSSARY[f"{kind} mask codec"]


def test_exact_marks_are_open_and_approximate_ones_filled():
    for codec, (symbol, _, _) in masks.MARKS.items():
        assert symbol.endswith("-open") == (codec in EXACT_CODECS)
