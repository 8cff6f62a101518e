"""Nested plain values into a dataclass of settings: each takes the type that its field says, or is refused."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from xorjax.settings import coerce, flattened, nearest, one_of, stated, wrong

Unknown = Callable[[str, Any], str]


def merge(
    base: Any, given: Mapping[str, Any], problems: list[str], unknown: Unknown, prefix: str = ""
) -> Any:
    """`base` with the values that are given in the place of its own.

    Args:
        base: a dataclass of settings.
        given: values by field, nested as `base` is; a group of several kinds may name another by `id`.
        problems: is added to: a sentence for each value that does not fit.
        unknown: the sentence for a key that there is not, from the key and its value.
        prefix: of the keys in the sentences, "prune.".
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
            if (id := value.get("id", current.id)) not in ids:
                problems.append(wrong(f"{key}.id", repr(id), one_of(ids), nearest(id, ids)))
                continue
            current = current if id == current.id else kinds()[id]()
            rest = {name: each for name, each in value.items() if name != "id"}
            values[name] = merge(current, rest, problems, _of_kind(kinds(), key, id, unknown), f"{key}.")
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
                default = f"the default is {current}"
                problems.append(f"{key} is {value!r}; it must be {_type_name(hints[name])}; {default}")
    return replace(base, **values)


def having(kinds: Mapping[str, type], group: str, name: str) -> str:
    """The kinds of a group that have a setting, "code=xor"; "" for none."""
    return " and ".join(
        f"{group}={id}" for id, kind in kinds.items() if name in {field.name for field in fields(kind)}
    )


def _of_kind(kinds: Mapping[str, type], group: str, id: str, unknown: Unknown) -> Unknown:
    """Says of a setting that only other kinds have whose it is."""

    def sentence(key: str, value: Any) -> str:
        owners = having(kinds, group, key.removeprefix(f"{group}."))
        return (
            f"{key} (here {value!r}) is a setting of {owners}, not of {group}={id}"
            if owners
            else unknown(key, value)
        )

    return sentence


def _type_name(hint: Any) -> str:
    if get_origin(hint) is UnionType:
        return f"{_type_name(get_args(hint)[0])} or null"
    if get_origin(hint) is tuple:
        return "a list of names, such as [fc1]" if get_args(hint)[0] is str else "a list of numbers"
    return {bool: "true or false", int: "an integer", float: "a number", str: "a name"}[hint]
