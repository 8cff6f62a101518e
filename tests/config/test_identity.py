from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.config.identity import canonical, identity
from xorjax.config.schema import Config, DataConfig
from xorjax.settings import setting


@dataclass(frozen=True)
class Old:
    rate: float = 0.9


@dataclass(frozen=True)
class New:
    rate: float = 0.9
    added: float = setting(0.0, added=True)
    names: tuple[str, ...] = setting((), added=True)
    of_names: int = setting(1, applies=lambda new: new.names != ())
    place: str = setting("here", determines=False)


@dataclass(frozen=True)
class Kind:
    id: ClassVar[str] = "a"


@dataclass(frozen=True)
class OtherKind:
    id: ClassVar[str] = "b"


def test_a_setting_added_later_leaves_old_names():
    assert identity("s", New()) == identity("s", Old())
    assert identity("s", {"a": [New()]}) == identity("s", {"a": [Old()]})
    assert identity("s", New(added=0.5)) != identity("s", Old())
    assert identity("s", New(names=("x",))) != identity("s", Old())


def test_what_does_not_apply_or_determine_names_nothing():
    assert identity("s", New(of_names=2, place="there")) == identity("s", Old())
    assert identity("s", New(names=("x",), of_names=2)) != identity("s", New(names=("x",)))


def test_kinds_of_a_group_differ_by_their_id():
    assert identity("s", Kind()) != identity("s", OtherKind())
    assert canonical(Kind()) == {"id": "a"}


def test_where_data_lies_names_nothing():
    assert identity("s", DataConfig(dir="a", cache_dir="b")) == identity("s", DataConfig())
    assert identity("s", DataConfig(n_train=5)) != identity("s", DataConfig())


def test_everything_else_names():
    base = identity("s", {"a": 1}, "up-0000000001")
    others = [
        identity("t", {"a": 1}, "up-0000000001"),
        identity("s", {"a": 2}, "up-0000000001"),
        identity("s", {"b": 1}, "up-0000000001"),
        identity("s", {"a": 1}, "up-0000000002"),
        identity("s", {"a": 1}),
        identity("s", {"a": [1]}, "up-0000000001"),
        identity("s", {"a": "1"}, "up-0000000001"),
        identity("s", {"a": None}, "up-0000000001"),
        identity("s", {"a": True}, "up-0000000001"),
    ]
    assert len({base, *others}) == 10


def test_slugs_are_for_people():
    name = identity("s", {"a": 1}, slug="lenet5-seed0")
    assert name.startswith("lenet5-seed0-")
    assert name[-10:] == identity("s", {"a": 1})[-10:]
    assert identity("t", {}, name) == identity("t", {}, identity("s", {"a": 1}))


@given(st.integers(-(2**40), 2**40))
def test_whole_floats_are_integers(n):
    assert canonical(float(n)) == n
    assert type(canonical(float(n))) is int


@given(
    st.dictionaries(
        st.text(),
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    )
)
def test_the_order_of_keys_does_not_matter(parts):
    assert identity("s", parts) == identity("s", dict(reversed(list(parts.items()))))


def test_canonical_floats():
    assert identity("s", {"a": 0.90}) == identity("s", {"a": float("0.9")})
    assert canonical(-0.0) == 0
    assert str(canonical(-0.0)) == "0"
    assert canonical((1, (0.5, "x"))) == [1, [0.5, "x"]]


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a", "b"}, b"x", Config])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(TypeError, match="no canonical form"):
        canonical(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_must_be_finite(value):
    with pytest.raises(ValueError, match="finite"):
        canonical({"a": value})
