"""The configs of rows: nested dicts in a point's file, one struct column in a table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

_TYPES: dict[frozenset[type], Any] = {
    frozenset({bool}): pl.Boolean(),
    frozenset({int}): pl.Int64(),
    frozenset({float}): pl.Float64(),
    frozenset({int, float}): pl.Float64(),
    frozenset({str}): pl.String(),
}


def to_column(configs: Sequence[Mapping[str, Any] | None]) -> pl.Series:
    """The column of these configs: a struct whose fields are those of any of them, null where one has none.

    Rows of several settings share one object: it is converted once.
    """
    places: dict[int, int] = {}
    distinct = []
    for config in configs:
        if id(config) not in places:
            places[id(config)] = len(distinct)
            distinct.append(config)
    return _column("config", distinct).gather([places[id(config)] for config in configs])


def leaves(configs: pl.Series, prefix: str = "") -> Iterator[tuple[str, pl.Series]]:
    """The settings by dotted key, each as a column."""
    if configs.dtype == pl.Null:
        return
    for name in configs.struct.fields:
        field = configs.struct.field(name)
        if isinstance(field.dtype, pl.Struct):
            yield from leaves(field, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def setting(configs: pl.Series, key: str) -> pl.Series:
    """The values at a dotted key, null where a config does not have it; of a group, what it is called."""
    found = configs
    for name in key.split("."):
        if not isinstance(found.dtype, pl.Struct) or name not in found.struct.fields:
            return pl.Series(key, [None] * len(configs), pl.Null)
        found = found.struct.field(name)
    if isinstance(found.dtype, pl.Struct):
        chosen = [name for name in ("id", "name") if name in found.struct.fields]
        return setting(configs, f"{key}.{chosen[0]}" if chosen else f"{key}.id")
    return found.alias(key)


def distinct(configs: pl.Series) -> dict[str, list[Any]]:
    """The values that each setting has among the configs, in the order that they come in; null counts as one."""
    return {key: values.unique(maintain_order=True).to_list() for key, values in leaves(configs)}


def plain(value: Any, key: str = "") -> str:
    """A value for readers, as it stands on the command line; of the setting `key`, whose values may be rules."""
    if key == "per_layer":
        # A row holds rules as a JSON text, a plan as an object.
        rules = json.loads(value) if isinstance(value, str) else value
        return (
            _grouped({pattern: dict(rule) for pattern, rule in dict(rules or {}).items()})
            if rules
            else "null"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(plain, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _grouped(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_grouped(inner)}" for key, inner in value.items()) + "}"
    return plain(value)


def determines_nothing(key: str) -> bool:
    """Whether a key only says where files are, or what is shown of the results."""
    return key.startswith(("paths.", "sweep.")) or key in (
        *("data.dir", "data.cache_dir", "report", "trackers", "code.encoder"),
    )


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, dict) for value in known):
        fields = dict.fromkeys(field for value in known for field in value)
        if fields:
            parts = [_column(field, [v and v.get(field) for v in values]) for field in fields]
            frame = pl.DataFrame(parts).select(
                pl.when(pl.Series([value is not None for value in values])).then(pl.struct(pl.all()))
            )
            return frame.to_series().alias(name)
        known = []
    if not known:
        return pl.Series(name, [None] * len(values), pl.Null)
    types = frozenset(map(type, known))
    if types in _TYPES:
        return pl.Series(name, values, _TYPES[types], strict=False)
    if types <= {list, tuple}:
        inner = frozenset(type(item) for value in known for item in value)
        dtype = _TYPES.get(inner, pl.String() if not inner else None)
        if dtype is not None:
            return pl.Series(name, values, pl.List(dtype))
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pl.Series(name, texts, pl.String)
