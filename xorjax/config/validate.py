"""From what Hydra composed to a `Config`: what does not fit is refused in one error, before any work."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xorjax.config.checks import find_problems, nearest, wrong
from xorjax.config.errors import ConfigError
from xorjax.config.schema import Config

__all__ = ["KEYS", "SECTIONS", "ConfigError", "load_config", "nearest_key"]


def load_config(cfg: DictConfig) -> Config:
    """The validated settings of one point; Hydra's own node, if it is there, is not looked at.

    Raises:
        ConfigError: unknown keys, wrong types or impossible values, all of them in one error.
    """
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    try:
        settings: Any = OmegaConf.to_container(own, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(
            [f"{error.full_key} cannot be resolved: {str(error.msg).splitlines()[0]}"]
        ) from None
    merged = copy.deepcopy(_SCHEMA)
    misfits = list(_merge(settings, merged))
    config = _build(Config, OmegaConf.to_container(merged))
    if problems := misfits or find_problems(config):
        raise ConfigError(problems)
    return config


def _keys(cls: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, hint in get_type_hints(cls).items():
        if isinstance(hint, type) and is_dataclass(hint):
            yield from _keys(hint, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint


KEYS: dict[str, Any] = dict(_keys(Config))
"""Every setting and its type."""

SECTIONS = tuple(dict.fromkeys(key[:i] for key in KEYS for i, letter in enumerate(key) if letter == "."))
"""The keys that hold settings: "data", "prune", "prune.schedule", ..."""


def nearest_key(key: str, groups: Sequence[str] = ()) -> str:
    """The setting or group that `key` most likely means: one with the same last word, or spelled most alike."""
    last = key.rpartition(".")[2]
    same = [known for known in KEYS if known.rpartition(".")[2] == last]
    return nearest(key, same or [*groups, *(known for known in KEYS if f"+{known}" not in groups)])


def _schema() -> DictConfig:
    schema = OmegaConf.structured(Config)
    # OmegaConf makes frozen dataclasses read-only, which would also forbid merging into them.
    for node in (schema, *(OmegaConf.select(schema, section) for section in SECTIONS)):
        OmegaConf.set_readonly(node, None)
    return schema


_SCHEMA = _schema()


def _merge(settings: Mapping[str, Any], schema: DictConfig) -> Iterator[str]:
    """Put the settings that fit into `schema`; a sentence for every other: no such key, or a wrong type."""
    for key, value in _leaves(settings):
        if key in SECTIONS:
            first = next(known for known in KEYS if known.startswith(f"{key}."))
            yield wrong(key, repr(value), "a group of settings", first)
        elif key not in KEYS:
            yield f"{key} (here {value!r}) is not a setting; the nearest is {nearest_key(key)}"
        else:
            try:
                OmegaConf.update(schema, key, value)
            except OmegaConfBaseException:
                yield wrong(key, repr(value), _type_name(KEYS[key]))


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key not in KEYS:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _type_name(hint: Any) -> str:
    if get_origin(hint) is UnionType:
        return f"{_type_name(get_args(hint)[0])} or null"
    if get_origin(hint) is tuple:
        return "a list of names, such as [fc1]" if get_args(hint)[0] is str else "a list of numbers"
    return {int: "an integer", float: "a number", str: "a name"}[hint]


def _build(hint: Any, value: Any) -> Any:
    """The dataclass that `value`, a dict, holds the fields of; OmegaConf's own would hold lists for tuples."""
    if isinstance(hint, type) and is_dataclass(hint):
        return hint(**{name: _build(inner, value[name]) for name, inner in get_type_hints(hint).items()})
    return tuple(value) if isinstance(value, list) else value
