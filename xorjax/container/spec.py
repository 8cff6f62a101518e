"""The JSON spec's values: looked up by key and type, and a code's settings to and from it."""

from dataclasses import fields, is_dataclass
from math import prod
from typing import Any

from xorjax.codec.code import CODES, Code, check_settings
from xorjax.container.tensors import MAX_NDIM
from xorjax.errors import about
from xorjax.settings import coerce, leaves, stated, type_name

LAYER_KEYS = {"shape", "code", "mask", "shared", "sha256", "notes"}
LAYER_DEFAULTS: dict[str, Any] = {"mask": None, "shared": {}, "notes": {}}
TOO_MANY = 2**48  # more than any file holds; NumPy's own limits are not reached below it


def code_spec(code: Code) -> dict[str, Any]:
    """A code's id and settings. A setting is left out that determines nothing, or was added and has its default."""
    assert is_dataclass(code)
    return {"id": code.id} | {
        own.name: value
        for own in fields(code)
        if (says := stated(own)).determines
        and ((value := getattr(code, own.name)) != own.default or not says.added)
    }


def short_code_spec(code: Code) -> dict[str, Any]:
    """As `code_spec`, without any setting that has its default."""
    spec = code_spec(code)
    usual = code_defaults(spec)
    return {key: value for key, value in spec.items() if key == "id" or value != usual[key]}


def code_defaults(entry: dict[str, Any]) -> dict[str, Any]:
    """The settings that `short_code_spec` may leave out; none for an id that no code has, which `read_code` refuses."""
    cls: Any = CODES.get(entry["id"]) if isinstance(entry.get("id"), str) else None
    return {} if cls is None else {own.name: own.default for own in fields(cls) if stated(own).determines}


def read_code(entry: object, where: str) -> Code:
    """The code of an entry with all settings, but for those at their default that were added later.

    Raises:
        ValueError: its id or a setting is unknown, of the wrong type or out of range, or a setting is missing.
    """
    given = dict(get(entry, "code", dict, where))
    cls = CODES.find(get(given, "id", str, f"{where} code"))
    del given["id"]
    settings = {}
    for name, hint, own in leaves(cls):
        says = stated(own)
        if not says.determines:
            continue
        if name in given or not says.added:
            try:
                settings[name] = coerce(hint, given.pop(name))
            except (KeyError, TypeError):
                raise ValueError(
                    f"spec: {where} code {cls.id} lacks {name!r}, or it is not {type_name(hint)}"
                ) from None
    for name in given:
        raise ValueError(f"spec: {where} code {cls.id} has no setting {name!r}; a newer xorjax may have")
    code = cls(**settings)
    with about(f"spec: {where} code {cls.id}"):
        check_settings(code)
    return code


def read_shape(entry: object, where: str) -> tuple[int, ...]:
    shape = tuple(get_list(entry, "shape", int, where))
    if not all(0 <= size < TOO_MANY for size in shape) or len(shape) > MAX_NDIM or prod(shape) == 0:
        raise ValueError(f"spec: {where} has shape {list(shape)}")
    return shape


def get(entry: object, key: str, kind: Any, where: str = "the spec") -> Any:
    # A null is a value where the kind allows it; a missing key never is.
    if isinstance(entry, dict) and key in entry:
        value = entry[key]
        # bool is a subclass of int, and true is no count.
        if isinstance(value, kind) and not isinstance(value, bool):
            return value
    raise ValueError(f"spec: {where} lacks {key!r}, or it is not {type_name(kind)}")


def get_list(entry: object, key: str, kind: type, where: str) -> list[Any]:
    values = get(entry, key, list, where)
    if not all(type(value) is kind for value in values):
        raise ValueError(f"spec: {where} has {key!r} with an entry that is not {type_name(kind)}")
    return values


def get_counts(entry: object, key: str, where: str) -> dict[str, int]:
    """A map from names to counts."""
    counts = get(entry, key, dict, where)
    for name, count in counts.items():
        check_count(count, f"{where} has {key!r} with {name!r}")
    return counts


def check_count(count: object, where: str) -> int:
    if type(count) is not int or not 0 <= count < TOO_MANY:
        raise ValueError(f"spec: {where} {count!r}, which is no count")
    return count
