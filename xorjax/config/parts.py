"""The parts of a sweep: overrides that hold for some of its points, beside those that hold for all."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from xorjax.config.errors import ConfigError, sentences
from xorjax.config.overrides import check_overrides, swept_in_vain
from xorjax.settings import nearest, one_of

Part = dict[str, Override]
"""What holds for the points of a part: of each key the override that counts, in the order in which they are applied."""


def parse(loader: ConfigLoader, config: DictConfig) -> dict[str, Part]:
    """The parts of a sweep that are run, by name; one without a name where the experiment has none.

    Of a key that is given twice the last override counts: `hydra.sweeper.params`, the part, the command line. What
    comes from the first or the last is one object in all parts.

    Raises:
        ConfigError: a part that is not there is chosen; an override names no setting, or one of the experiment's a
            setting of no kind that is chosen.
    """
    conf = Path(next(s.path for s in config.hydra.runtime.config_sources if s.provider == "main"))
    parser = OverridesParser.create(config_loader=loader)
    params = _texts("hydra.sweeper.params", OmegaConf.select(config, "hydra.sweeper.params"))
    given = list(config.hydra.overrides.task)
    own = _chosen(config)
    for_each(own, lambda part: check_overrides([*params, *part, *given], conf))
    first, last = parser.parse_overrides(params), parser.parse_overrides(given)
    _refuse(list(swept_in_vain(first, last, conf, "hydra.sweeper.params")))
    parsed = {name: parser.parse_overrides(part) for name, part in own.items()}
    for_each(parsed, lambda part: _refuse(list(swept_in_vain(part, last, conf, "hydra.sweeper.parts"))))
    return {name: {o.get_key_element(): o for o in (*first, *part, *last)} for name, part in parsed.items()}


def for_each(parts: Mapping[str, Any], do: Callable[[Any], Any]) -> dict[str, Any]:
    """What `do` makes of each part.

    Raises:
        ConfigError: what it refuses, each problem once, with the names of the parts if not all have it.
    """
    done: dict[str, Any] = {}
    having: dict[str, list[str]] = {}
    for name, part in parts.items():
        try:
            done[name] = do(part)
        except (ConfigError, HydraException) as error:
            for problem in sentences(error):
                having.setdefault(problem, []).append(name)
    without = f"; hydra.sweeper.only=[{','.join(done)}] leaves it out" if done else ""
    _refuse(
        [
            problem if len(names) == len(parts) else f"part {' and '.join(names)}: {problem}{without}"
            for problem, names in having.items()
        ]
    )
    return done


def refuse_only(config: DictConfig) -> None:
    """Raises `ConfigError` if parts of a sweep are chosen for a command that runs one point."""
    if (only := OmegaConf.select(config, "hydra.sweeper.only")) is not None:
        _refuse(
            [
                f"hydra.sweeper.only is {only}; it chooses parts of a sweep, and this command is for one point, by "
                "hydra.mode=RUN or +debug=one_point, or has no sweep; give the settings of the point"
            ]
        )


def _chosen(config: DictConfig) -> dict[str, list[str]]:
    """The overrides of each part that `hydra.sweeper.only` names, in the experiment's order."""
    parts = OmegaConf.select(config, "hydra.sweeper.parts")
    only: Any = OmegaConf.select(config, "hydra.sweeper.only")
    if not parts:
        if only is not None:
            _refuse([f"hydra.sweeper.only is {only}, and the sweep has no parts; leave it out"])
        return {"": []}
    own = {str(name): _texts(f"hydra.sweeper.parts.{name}", part) for name, part in parts.items()}
    if only is None:
        return own
    names = [str(name) for name in only] if isinstance(only, ListConfig) else [str(only)]
    _refuse(
        [
            f"hydra.sweeper.only names {name!r}; it must be {one_of(tuple(own))}; the nearest is "
            f"{nearest(name, tuple(own))}"
            for name in names or [""]
            if name not in own
        ]
    )
    return {name: part for name, part in own.items() if name in names}


def _texts(where: str, overrides: Any) -> list[str]:
    """Overrides as they are written on a command line."""
    if not isinstance(overrides, DictConfig | None):
        raise ConfigError([f"{where} is {overrides!r}; it must be overrides by key, as prune.rate: 0.9,0.95"])
    items = [] if overrides is None else list(overrides.items())
    _refuse(
        [
            f"{where}: {key} is a mapping; write dotted keys, as {key}.{next(iter(value), 'NAME')}: VALUE"
            for key, value in items
            if isinstance(value, DictConfig)
        ]
    )
    return [f"{key}={'null' if value is None else value}" for key, value in items]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError(problems)
