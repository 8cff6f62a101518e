"""The settings that a stage reads. They name its artifact, and the stage can read no others while it runs.

A stage declares keys of `Config`: of settings ("prune.scope"), of whole groups ("code"), or of properties, which derive
from settings ("prune.keep_epoch").
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache, partial
from typing import Any

from xorjax.config.identity import canonical, counts
from xorjax.config.schema import Config
from xorjax.settings import flat, leaves, stated


def read(config: Config, keys: tuple[str, ...]) -> dict[str, Any]:
    """The values at `keys` as plain JSON, and under "per_layer" those that pruned layers have of their own.

    What determines nothing, does not apply or was added and has its default is left out.
    """
    values = _values(config, keys)
    own = {layer: _values(config.for_layer(layer), keys) for layer in config.pruned_layers}
    differing = {
        layer: {key: value for key, value in each.items() if key not in values or value != values[key]}
        for layer, each in own.items()
        if each != values
    }
    return values | ({"per_layer": differing} if differing else {})


def _values(config: Config, keys: tuple[str, ...]) -> dict[str, Any]:
    values = {}
    for key in keys:
        value: Any = config
        for name in key.split("."):
            if not all(counts(value, field) for field in fields(value) if field.name == name):
                break
            value = getattr(value, name)
        else:
            values[key] = canonical(value)
    return values


@cache
def not_determining() -> frozenset[str]:
    """The keys of the settings on which no result depends."""
    return frozenset(key for key, _, own in leaves(Config) if not stated(own).determines)


def determining(config: Config) -> dict[str, Any]:
    """The settings on which results depend, by dotted key as plain JSON; rules by pattern."""
    settings = {key: canonical(value) for key, value in flat(config).items() if key not in not_determining()}
    return settings | {"per_layer": {pattern: dict(rule) for pattern, rule in config.per_layer}}


class UndeclaredRead(Exception):
    """A stage reads a setting that it does not declare, so that its name would not depend on it."""


def view(settings: Any, keys: tuple[str, ...], prefix: str = "") -> Any:
    """The settings, of which only those at `keys` can be read; of the same class for all that ask."""
    made = object.__new__(_guarded(type(settings)))
    made.__dict__["__read__"] = partial(_read, settings, keys, prefix)
    return made


@cache
def _guarded(cls: type) -> type:
    def get(self: Any, name: str) -> Any:
        own = partial(object.__getattribute__, self)
        return own(name) if name.startswith("__") else own("__dict__")["__read__"](name)

    return type(cls.__name__, (cls,), {"__getattribute__": get})


def _read(settings: Any, keys: tuple[str, ...], prefix: str, name: str) -> Any:
    key = f"{prefix}{name}"
    if key in keys:
        return getattr(settings, name)
    if name == "for_layer":
        of_layer: Callable[[str], Config] = settings.for_layer
        return lambda layer: view(of_layer(layer), keys)
    if any(declared.startswith(f"{key}.") for declared in keys):
        return view(getattr(settings, name), keys, f"{key}.")
    raise UndeclaredRead(f"{key} is not among the settings that the stage declares: {', '.join(keys)}")
