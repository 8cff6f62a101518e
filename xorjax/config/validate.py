"""From what Hydra composed to a `Config`: what does not fit is refused in one error, before any work."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xorjax.config.checks import find_problems, rule_problems, text_problems
from xorjax.config.errors import ConfigError
from xorjax.config.schema import Config, Rule
from xorjax.merge import merge, nested, unknown_key
from xorjax.settings import flattened, leaves, stated


def load_config(cfg: DictConfig) -> Config:
    """The validated settings of one point.

    Raises:
        ConfigError: unknown keys, wrong types or impossible values, all of them in one error.
    """
    settings = _resolved(cfg)
    rules = settings.pop("per_layer", None) or {}
    problems: list[str] = []
    config = merge(Config(), settings, problems, _unknown)
    if problems := problems or find_problems(config):
        raise ConfigError(problems)
    config = replace(config, per_layer=tuple(_rules(rules, config, problems)))
    if problems := problems or list(rule_problems(config)):
        raise ConfigError(problems)
    return config


def load_groups(cfg: DictConfig, *groups: str) -> Config:
    """These groups of what Hydra composed, each right alone; the others are at their defaults.

    Raises:
        ConfigError: unknown keys or wrong types.
    """
    problems: list[str] = []
    settings = {key: value for key, value in _resolved(cfg).items() if key in groups}
    config = merge(Config(), settings, problems, _unknown)
    if problems := problems or list(text_problems(config)):
        raise ConfigError(problems)
    return config


def _resolved(cfg: DictConfig) -> Any:
    try:
        return plain_settings(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(
            [f"{error.full_key} cannot be resolved: {str(error.msg).splitlines()[0]}"]
        ) from None


def plain_settings(cfg: DictConfig) -> Any:
    """What Hydra composed as nested dicts, without its own node if that is there."""
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return OmegaConf.to_container(own, resolve=True)


def _rules(rules: Any, config: Config, problems: list[str]) -> Iterator[Rule]:
    """The rules of `per_layer`, their values in the types of their settings."""
    if not isinstance(rules, Mapping) or not all(isinstance(rule, Mapping) for rule in rules.values()):
        problems.append(
            f"per_layer is {rules!r}; it must be settings by patterns, such as {{conv*: {{prune.rate: 0.8}}}}"
        )
        return
    for pattern, given in rules.items():
        rule = dict(flattened(given))
        found = [
            f"{key} (here {value!r}) cannot be set by layer; {', '.join(PER_LAYER)} can"
            for key, value in rule.items()
            if key in KEYS and key not in PER_LAYER
        ]
        own = merge(config, nested(rule), found, _unknown) if not found else config
        problems.extend(f"per_layer of {pattern}: {problem}" for problem in found)
        if not found:
            yield str(pattern), tuple((key, attrgetter(key)(own)) for key in rule)


KEYS: dict[str, Any] = {}
"""Every setting and its type, those of all codes and tasks among them."""
for _key, _hint, _ in leaves(Config):
    KEYS.setdefault(_key, _hint)

PER_LAYER = tuple(dict.fromkeys(key for key, _, own in leaves(Config) if stated(own).per_layer))
"""Those that rules may give layers of their own."""

SECTIONS = tuple(dict.fromkeys(key[:i] for key in KEYS for i, letter in enumerate(key) if letter == "."))
"""The keys that hold settings: "data", "prune", "prune.schedule", ..."""

KINDS = {own.name: kinds for own in fields(Config) if (kinds := stated(own).kinds) is not None}
"""The groups of several kinds, "code" and "task"; the kinds of each by id."""

_RENAMED = {"xor.layout": "code.slicing", "xor.layout_seed": "code.slicing_seed", "xor": "code"}
"""Keys of settings and groups that were called otherwise; of a group for all that is in it."""


def new_name(key: str) -> str | None:
    """What a setting or a group is called now; None if it never had another name."""
    old = next((old for old in _RENAMED if key == old or key.startswith(f"{old}.")), None)
    return None if old is None else _RENAMED[old] + key.removeprefix(old)


def _unknown(key: str, value: Any) -> str:
    if (new := new_name(key)) is not None:
        return f"{key} (here {value!r}) is called {new} now"
    return unknown_key(key, value, KEYS)
