"""Plain values into a dataclass of settings: each takes the type that its field says, or is refused in a sentence."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

from xorjax.settings import coerce, flattened, mistyped, nearest, one_of, stated, wrong

Unknown = Callable[[str, Any], str]


def merge(
    base: Any, given: Mapping[str, Any], problems: list[str], unknown: Unknown, prefix: str = ""
) -> Any:
    """`base` with the given values in place of its own; the arguments are those of `fitting`."""
    return replace(base, **fitting(base, given, problems, unknown, prefix))


def fitting(
    base: Any, given: Mapping[str, Any], problems: list[str], unknown: Unknown, prefix: str = ""
) -> dict[str, Any]:
    """The given values by field of `base`, in the types that the fields say.

    Args:
        base: a dataclass of settings.
        given: values by field, nested as `base` is. In a group of several kinds, `id` names the kind, or is a value
            of the kind.
        problems: the list to which a sentence is added for each value that does not fit.
        unknown: takes a key that is no setting and its value, and gives the sentence.
        prefix: stands before the keys in the sentences, "prune.".
    """
    own, hints, values = {field.name: field for field in fields(base)}, get_type_hints(type(base)), {}
    for name, value in given.items():
        key = f"{prefix}{name}"
        if name not in own:
            problems.extend(unknown(inner, each) for inner, each in flattened({key: value}))
            continue
        current: Any = getattr(base, name)
        kinds = stated(own[name]).kinds
        if kinds is not None and isinstance(value, Mapping):
            ids = tuple(kinds())
            chosen: Any = value.get("id", current)
            if isinstance(chosen, type) or not is_dataclass(chosen):
                if chosen not in ids:
                    problems.append(wrong(f"{key}.id", repr(chosen), one_of(ids), nearest(chosen, ids)))
                    continue
                chosen = current if chosen == current.id else kinds()[chosen]()
            rest = {name: each for name, each in value.items() if name != "id"}
            of_kind = _of_kind(kinds(), key, chosen, unknown)
            values[name] = merge(chosen, rest, problems, of_kind, f"{key}.")
        elif is_dataclass(current):
            if isinstance(value, Mapping):
                values[name] = merge(current, value, problems, unknown, f"{key}.")
            else:
                first = "id" if kinds else fields(current)[0].name
                problems.append(wrong(key, repr(value), "a group of settings", f"{key}.{first}"))
        else:
            try:
                values[name] = coerce(hints[name], value)
            except TypeError:
                problems.append(mistyped(key, value, hints[name], current))
    return values


def changed(settings: Any, values: Mapping[str, Any]) -> Any:
    """The dataclass with other values at dotted keys; where a group's `id` is another, with that kind's defaults."""
    problems: list[str] = []
    made = merge(settings, nested(values), problems, lambda key, value: f"there is no setting {key}")
    assert not problems, problems
    return made


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key as nested dicts."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        *groups, name = key.split(".")
        inside = found
        for group in groups:
            if not isinstance(inside.get(group), dict):
                inside[group] = {}
            inside = inside[group]
        inside[name] = value
    return found


def having(kinds: Mapping[str, type], group: str, name: str) -> str:
    """The kinds of a group that have a setting, "code=trained or code=xor"; "" for none."""
    return " or ".join(
        f"{group}={id}"
        for id, kind in sorted(kinds.items())
        if name in {field.name for field in fields(kind)}
    )


def unknown_key(key: str, value: Any, known: Collection[str], of: str = "") -> str:
    """The sentence for a key that is none of the known ones, settings `of` something."""
    near = f"the nearest is {nearest_key(key, known)}" if known else "there is none"
    return f"{key} (here {value!r}) is not a setting{of}; {near}"


def nearest_key(key: str, known: Collection[str]) -> str:
    """The key that `key` most likely means: one with the same last word or its initials, or spelled most alike."""
    last = key.rpartition(".")[2]
    words = {each: each.rpartition(".")[2] for each in known}
    same = [each for each, word in words.items() if word == last]
    short = [each for each, word in words.items() if "".join(part[:1] for part in word.split("_")) == last]
    return nearest(key, same or short or known)


def _of_kind(kinds: Mapping[str, type], group: str, chosen: Any, unknown: Unknown) -> Unknown:
    """`unknown`, but a setting that only other kinds have is said to be theirs."""

    def sentence(key: str, value: Any) -> str:
        owners = having(kinds, group, key.removeprefix(f"{group}."))
        return (
            f"{key} (here {value!r}) is a setting of {owners}, not of {group}={chosen.id}"
            if owners
            else unknown(key, value)
        )

    return sentence
