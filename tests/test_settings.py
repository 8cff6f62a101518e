"""What a setting's field states is what is checked, and in the words that the user sees."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.settings import BETWEEN, FRACTION, POSITIVE, Range, leaves, problems, setting, stated


@dataclass(frozen=True)
class Inner:
    rate: float = setting(0.5, FRACTION, "A rate.", per_layer=True)
    names: tuple[str, ...] = setting((), ("red", "green"))


@dataclass(frozen=True)
class Outer:
    count: int | None = setting(None, Range(1, 8))
    kind: str = setting("new", lambda: ("old", "new"))
    inner: Inner = setting(default_factory=Inner)
    bare: float = 0.0


def test_leaves_are_keyed_by_their_dotted_path():
    found = {key: (hint, stated(field)) for key, hint, field in leaves(Outer)}
    assert list(found) == ["count", "kind", "inner.rate", "inner.names", "bare"]
    hint, says = found["inner.rate"]
    assert (hint, says.help, says.per_layer, says.determines) == (float, "A rate.", True, True)
    assert found["kind"][1].choices == ("old", "new")
    assert found["count"][1].choices is None


def test_what_fits_has_no_problems():
    assert list(problems(Outer(8, "old", Inner(0.0, ("red",))))) == []


def test_every_problem_is_a_sentence_with_the_nearest():
    told = list(problems(Outer(9, "odl", Inner(1.0, ("red", "gren")))))
    assert told == [
        "count is 9; it must be at least 1 and at most 8; the nearest is 8",
        "kind is 'odl'; it must be one of old, new; the nearest is old",
        "inner.rate is 1.0; it must be at least 0 and less than 1; the nearest is 0.99",
        "inner.names is 'gren'; it must be one of red, green; the nearest is green",
    ]


@pytest.mark.parametrize("allowed", [POSITIVE, FRACTION, BETWEEN, Range(3, 7), Range(3, 7, ("low", "high"))])
@given(value=st.floats(allow_nan=True, allow_infinity=True))
def test_the_nearest_of_a_range_is_in_it(allowed, value):
    near = allowed.nearest(value)
    assert near is None or near in allowed
    assert math.isfinite(value) or value not in allowed
