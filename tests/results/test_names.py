import pytest

from xorjax.codec import BASELINES
from xorjax.masks import APPROXIMATE_CODECS, EXACT_CODECS
from xorjax.results import mask_figures, names


def test_every_codec_has_a_name_and_a_mark():
    assert set(names.CODEC_NAMES) == set(BASELINES)
    assert set(names.EXACT_MASKS) == set(EXACT_CODECS)
    assert set(names.APPROXIMATE_MASKS) == set(APPROXIMATE_CODECS)
    assert set(mask_figures.MARKS) == set(names.MASK_NAMES)


def test_every_baseline_with_a_mask_is_a_mask_codec_too():
    assert set(names.BASELINE_MASKS) == set(BASELINES) - {"dense"}
    for method, codec in names.BASELINE_MASKS.items():
        inner = getattr(BASELINES[method], "mask_codec", None)
        assert inner is None or inner.id == codec


@pytest.mark.parametrize("codec", names.MASK_NAMES)
def test_the_glossary_explains_every_mask_codec(codec):
    kind = "approximate" if codec in names.APPROXIMATE_MASKS else "exact"
    assert codec in names.GLOSSARY[f"{kind} mask codec"]


def test_exact_marks_are_open_and_approximate_ones_filled():
    for codec, (symbol, _, _) in mask_figures.MARKS.items():
        assert symbol.endswith("-open") == (codec in names.EXACT_MASKS)
