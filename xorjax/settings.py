"""Settings, each stated once: a field of a frozen dataclass that holds its type, default, range and help.

From the field come the checks and their hints (`config`), the names of artifacts, the options of `xorjax compress`, the
file's spec and the columns of results.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

_METADATA = "setting"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `open` says which ends are left out ("low", "high" or both)."""

    low: int | float
    high: int | float = math.inf
    open: tuple[str, ...] = ()

    def __contains__(self, value: int | float) -> bool:
        above = self.low < value if "low" in self.open else self.low <= value
        below = value < self.high if "high" in self.open else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        low = f"{'more than' if 'low' in self.open else 'at least'} {self.low}"
        high = f"{'less than' if 'high' in self.open else 'at most'} {self.high}"
        return low if self.high == math.inf else f"{low} and {high}"

    def nearest(self, value: int | float) -> int | float | None:
        """The end on `value`'s side; if the range leaves it out, a point a hundredth of the range inside; else None."""
        below = value <= self.low
        end, other = (self.low, self.high) if below else (self.high, self.low)
        near = end + (other - end) / 100 if ("low" if below else "high") in self.open else end
        return near if near in self else None


POSITIVE = Range(0, open=("low",))
FRACTION = Range(0, 1, open=("high",))
BETWEEN = Range(0, 1, open=("low", "high"))
SEED = Range(0, 2**32 - 1)
PLANES = Range(1, 8)
SCALES = ("tensor", "channel", "row")
"""What shares a scale: all weights, those of an index of the last axis, or of the first."""

Choices = tuple[str, ...] | Callable[[], tuple[str, ...]]
"""A closed set of names; as a function, one that a registry knows."""


@dataclass(frozen=True)
class Setting:
    """What a field states about itself.

    Attributes:
        allowed: a range, a closed set of names, or None for anything of the type. A list must have all its items in it,
            and null is allowed where the type allows it.
        help: one or two sentences for people, in `--help` and in `conf/`.
        per_layer: whether `per_layer` rules may give layers values of their own.
        determines: whether results depend on it; where files lie does not.
        added: whether the setting came later than the first artifacts, which were made as at its default. Names and
            files leave it out at its default, so that older ones stay valid.
        applies: takes the group's dataclass and says whether the setting has an effect beside the group's other
            settings. A setting that does not apply names no artifact.
        kinds: for a group that has several kinds, such as the code: their dataclasses by id. The group's `id` is that
            of its kind.
    """

    allowed: Range | Choices | None = None
    help: str = ""
    per_layer: bool = False
    determines: bool = True
    added: bool = False
    applies: Callable[[Any], bool] | None = None
    kinds: Callable[[], Mapping[str, type]] | None = None

    @property
    def choices(self) -> tuple[str, ...] | None:
        """The closed set, if it is one."""
        allowed = self.allowed
        if allowed is None or isinstance(allowed, Range):
            return None
        return allowed() if callable(allowed) else allowed


def setting(
    default: Any = MISSING,
    allowed: Range | Choices | None = None,
    help: str = "",
    *,
    default_factory: Any = MISSING,
    per_layer: bool = False,
    determines: bool = True,
    added: bool = False,
    applies: Callable[[Any], bool] | None = None,
) -> Any:
    """A field of a dataclass of settings; the arguments are those of `Setting`."""
    stated = Setting(allowed, help, per_layer, determines, added, applies)
    return field(default=default, default_factory=default_factory, metadata={_METADATA: stated})


def kind(
    kinds: Callable[[], Mapping[str, type]], default: str, help: str = "", *, per_layer: bool = False
) -> Any:
    """A field that is a group of settings of one of several kinds, by default that of the id `default`."""
    stated = Setting(lambda: tuple(kinds()), help, per_layer, kinds=kinds)
    return field(default_factory=lambda: kinds()[default](), metadata={_METADATA: stated})


def stated(of: Field) -> Setting:
    """What a field states; a bare one states nothing."""
    return of.metadata.get(_METADATA, Setting())


def leaves(cls: type, prefix: str = "") -> Iterator[tuple[str, Any, Field]]:
    """Key, type and field of every setting of a dataclass and of the dataclasses in it: "optim.epochs", int, ...

    A group of several kinds has its `id`, and the settings of all kinds.
    """
    hints = get_type_hints(cls)
    for own in fields(cls):
        key, hint, kinds = f"{prefix}{own.name}", hints[own.name], stated(own).kinds
        if kinds is not None:
            yield f"{key}.id", str, own
            for inner in kinds().values():
                yield from leaves(inner, f"{key}.")
        elif isinstance(hint, type) and is_dataclass(hint):
            yield from leaves(hint, f"{key}.")
        else:
            yield key, hint, own


def plain(settings: Any) -> dict[str, Any]:
    """A dataclass of settings as nested dicts; of a group of several kinds its `id` too."""
    id = {"id": settings.id} if hasattr(settings, "id") else {}
    values = {own.name: getattr(settings, own.name) for own in fields(settings)}
    return id | {name: plain(value) if is_dataclass(value) else value for name, value in values.items()}


def flat(settings: Any) -> dict[str, Any]:
    """A dataclass of settings by dotted key."""
    return dict(flattened(plain(settings)))


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested dicts by dotted key."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def coerce(hint: Any, value: Any) -> Any:
    """`value` in the type that a field says: numbers for floats, tuples for lists, null where it may be.

    Raises:
        TypeError: it does not fit.
    """
    if get_origin(hint) is UnionType:
        return None if value is None else coerce(get_args(hint)[0], value)
    if get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        return tuple(coerce(get_args(hint)[0], item) for item in value)
    fitting = {bool: bool, int: int, float: (int, float), str: (str, int, float)}.get(hint, ())
    if not isinstance(value, fitting) or (isinstance(value, bool) and hint is not bool):
        raise TypeError
    return hint(value)


def type_name(hint: Any) -> str:
    """What a value of the type is called: "an integer or null"."""
    if get_origin(hint) is UnionType:
        return f"{type_name(get_args(hint)[0])} or null"
    if get_origin(hint) is tuple:
        return "a list of names, such as [fc1]" if get_args(hint)[0] is str else "a list of numbers"
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a name"}
    return names.get(hint) or f"of the type {hint.__name__}"


def mistyped(key: str, value: object, hint: Any, default: object) -> str:
    """The sentence for a value that is not of its setting's type."""
    known = "" if default is MISSING else f"; the default is {default}"
    return f"{key} is {value!r}; it must be {type_name(hint)}{known}"


def wrong(key: str, value: object, allowed: object, near: object) -> str:
    """The sentence for a setting that cannot be: what it is, what it must be, and the nearest that can."""
    return f"{key} is {value}; it must be {allowed}; the nearest is {near}"


def nearest(value: object, choices: Iterable[str]) -> str:
    """The choice spelled most like `value`."""
    return get_close_matches(str(value), choices, n=1, cutoff=0.0)[0]


def one_of(choices: tuple[str, ...] | list[str]) -> str:
    """The choices as a phrase."""
    return f"{'one of ' if len(choices) > 1 else ''}{', '.join(choices)}"


def type_problems(settings: Any, prefix: str = "") -> Iterator[str]:
    """A sentence for each setting of a dataclass, and of those in it, that is not of its field's type."""
    hints = get_type_hints(type(settings))
    for own in fields(settings):
        key, value = f"{prefix}{own.name}", getattr(settings, own.name)
        if is_dataclass(value):
            yield from type_problems(value, f"{key}.")
        elif _METADATA in own.metadata:
            try:
                coerce(hints[own.name], value)
            except TypeError:
                yield mistyped(key, value, hints[own.name], own.default)


def problems(settings: Any, prefix: str = "") -> Iterator[str]:
    """A sentence for each setting of a dataclass, and of those in it, that is not in its range or its closed set."""
    for own in fields(settings):
        key, value, says = f"{prefix}{own.name}", getattr(settings, own.name), stated(own)
        if is_dataclass(value):
            yield from problems(value, f"{key}.")
            continue
        if value == own.default:
            continue  # asking a registry for its choices imports all its entries
        choices = says.choices
        for item in value if isinstance(value, tuple) else (value,):
            if item is None:
                continue
            if choices is not None:
                if item not in choices:
                    yield wrong(key, repr(item), one_of(choices), nearest(item, choices))
            elif isinstance(says.allowed, Range) and item not in says.allowed:
                near = says.allowed.nearest(item)
                default = own.default if own.default is not MISSING else None
                hint = f"the default is {default}" if near is None else f"the nearest is {near}"
                yield f"{key} is {item}; it must be {says.allowed}; {hint}"
