import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.streams import BIT_NAMES, BIT_STREAMS, bits_over_layers

layers = st.lists(
    st.fixed_dictionaries(
        {"n_weights": st.integers(1, 10**8), "code_bits": st.floats(0, 8), "patch_bits": st.floats(0, 8)}
    ),
    min_size=1,
    max_size=6,
)


@given(layers)
def test_a_layer_counts_by_its_weights(rows):
    bits, weights = ([row[name] for row in rows] for name in ("code_bits", "n_weights"))
    assert bits_over_layers(rows, "code_bits") == pytest.approx(np.average(bits, weights=weights))


@given(layers)
def test_columns_are_summed(rows):
    each = [bits_over_layers(rows, column) for column in ("code_bits", "patch_bits")]
    assert bits_over_layers(rows, "code_bits", "patch_bits") == pytest.approx(sum(each))


def test_by_default_all_bits_count():
    rows = [{"n_weights": 300, "bits_per_weight": 0.2}, {"n_weights": 100, "bits_per_weight": 0.6}]
    assert bits_over_layers(rows) == pytest.approx(0.3)


def test_every_stream_has_a_name():
    assert [BIT_NAMES[stream] for stream in BIT_STREAMS] == ["code", "patch", "index", "scale"]
