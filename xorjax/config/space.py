"""The space of a search, written in Hydra's sweep syntax, and the points that its values stand for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override, RangeSweep
from hydra.types import RunMode
from omegaconf import DictConfig

from xorjax.config.axes import Axis, Choice, LogScale, Steps
from xorjax.config.errors import ConfigError
from xorjax.config.identity import identity
from xorjax.config.overrides import check_overrides
from xorjax.config.parts import parse
from xorjax.config.reads import not_determining
from xorjax.config.schema import Config
from xorjax.config.sweep import compose, point_command, refuse_empty
from xorjax.config.validate import KEYS, KINDS, load_config, load_groups, plain_settings
from xorjax.metric import Metric
from xorjax.settings import flattened

MOST_STEPS = 50
"""Of an interval: its values are shared by more trials, and their stages with them, the fewer there are."""


class Space:
    """What a search varies, and what it leaves as it is.

    Attributes:
        name: a hash of all that determines the results of its trials: what they vary and what not.
        runs: the runs directory.
        experiment: the name of the report.
        metric: what its points are judged by.
        data: the data sets that its points may need, each as the groups task and data.
        axes: what each setting or group may be, by its key.
    """

    def __init__(self, conf: Path, overrides: Sequence[str], loader: ConfigLoader):
        self._loader = loader
        check_overrides(overrides, conf)
        self._master = loader.load_configuration("train", list(overrides), RunMode.MULTIRUN)
        parts = parse(loader, self._master)
        if len(parts) > 1:
            raise ConfigError(
                [
                    f"the sweep has the parts {', '.join(parts)}, and a search has one space; choose one, as in "
                    f"hydra.sweeper.only=[{next(iter(parts))}]"
                ]
            )
        (given,) = parts.values()
        # Of a range `_axis` says it for searches.
        refuse_empty(
            o for o in given.values() if o.key_or_group == "seed" or isinstance(o.value(), ChoiceSweep | Glob)
        )
        self._fixed, self._seeds = [], [[]]
        self.axes: dict[str, Axis] = {}
        for key, override in given.items():
            if override.key_or_group == "seed":
                self._seeds = [[f"{key}={text}"] for text in _seeds(override)]
            elif override.is_sweep_override():
                self.axes[key] = _axis(override)
            else:
                self._fixed.append(f"{key}={override.get_value_element_as_str()}")
        if not self.axes:
            raise ConfigError(
                ["nothing to search: give settings several values, such as prune.rate=interval(0.85,0.98)"]
            )
        (base,) = compose(loader, self._master, [self._fixed])
        self.experiment, self.runs = str(base.report), Path(load_groups(base, "paths").paths.runs)
        self.metric: Metric = KINDS["task"]()[base.task.id].metric
        self.data = self._data()
        axes = {key: str(axis) for key, axis in self.axes.items()}
        self.name = identity("search", [_determining(base), self._seeds, axes])

    def _data(self) -> list[Config]:
        places = [(key, self.axes[key]) for key in ("data", "data.name", "data.dir") if key in self.axes]
        choices = [
            [f"{key}={text}" for text in axis.values] for key, axis in places if isinstance(axis, Choice)
        ]
        composed = compose(self._loader, self._master, [[*self._fixed, *own] for own in product(*choices)])
        return [load_groups(cfg, "data", "task") for cfg in composed]

    def points(self, values: Mapping[str, str]) -> list[tuple[Config, str]]:
        """The points of one trial, a point each seed, with the commands that run them alone.

        Args:
            values: for each key of `axes` a text of that axis.

        Raises:
            ConfigError: the settings contradict one another.
        """
        chosen = [f"{key}={text}" for key, text in values.items()]
        points = compose(self._loader, self._master, [[*self._fixed, *seed, *chosen] for seed in self._seeds])
        return [(load_config(cfg), point_command(cfg.hydra)) for cfg in points]


@contextmanager
def open_space(conf: Path, overrides: Sequence[str]) -> Iterator[Space]:
    """The space that the configuration in `conf` and the overrides describe, as long as the block runs.

    A setting is searched whose value is a sweep: `choice(a,b)` or `a,b`; `range(low,high,step)`, without its end as in
    Hydra; `interval(low,high)`, in steps of 1, 2 or 5 of some digit, or of 1 for an integer setting; `tag(log,...)`
    around the last two. Several seeds are no choice: each trial runs them all.

    Raises:
        ConfigError: an unknown setting, a sweep that is not one of these, or nothing to search.
    """
    with initialize_config_dir(str(conf), version_base="1.3"):
        yield Space(conf, overrides, GlobalHydra.instance().config_loader())


def _axis(override: Override) -> Axis:
    key, value = override.key_or_group, override.value()
    if isinstance(value, ChoiceSweep | Glob):
        return Choice(tuple(dict.fromkeys(override.sweep_string_iterator())))
    assert isinstance(value, (RangeSweep, IntervalSweep))
    number = next((t for t in (int, float) if KEYS.get(key) in (t, t | None)), None)
    if number is None:
        raise ConfigError(
            [f"{override.input_line}: the values of {key} are no numbers; write {key}=choice(...)"]
        )
    low, high, step = _range(override, value) if isinstance(value, RangeSweep) else _interval(value, number)
    if not all(number(given) == given for given in (low, high, step)):
        raise ConfigError([f"{override.input_line}: the values of {key} are integers"])
    if low > high:
        raise ConfigError([f"{override.input_line}: there is no value between its ends"])
    if value.tags - {"log"}:
        raise ConfigError([f"{override.input_line}: its tag may be log, not {', '.join(sorted(value.tags))}"])
    if "log" not in value.tags:
        return Steps(number(low), number(high), number(step))
    if low <= 0:
        raise ConfigError([f"{override.input_line}: a logarithmic scale begins above 0"])
    return LogScale(number(low), number(high))


def _range(override: Override, value: RangeSweep) -> tuple[float, float, float]:
    """Low, high, step of the values that Hydra would sweep over, but for its errors of rounding."""
    values = sorted(float(text) for text in override.sweep_string_iterator())
    if not values:
        return 1.0, 0.0, 1.0
    low, step = Decimal(str(values[0])), abs(Decimal(str(value.step)))
    return float(low), float(low + (len(values) - 1) * step), float(step)


def _interval(value: IntervalSweep, number: type) -> tuple[float, float, float]:
    """Low, high, step; what is left above the last whole step is given up, since values are to be round."""
    assert value.start is not None
    assert value.end is not None
    if number is int:
        return float(math.ceil(value.start)), float(math.floor(value.end)), 1.0
    low, high = Decimal(str(value.start)), Decimal(str(value.end))
    step = _step(high - low)
    last = high if "log" in value.tags or high < low else low + (high - low) // step * step
    return float(low), float(last), float(step)


def _step(width: Decimal) -> Decimal:
    """The smallest of 1, 2, 5 times a power of ten that goes into `width` at most MOST_STEPS times."""
    if width <= 0:
        return Decimal(1)
    power = Decimal(10) ** (width / MOST_STEPS).adjusted()
    return next(step for factor in (1, 2, 5, 10) if width <= MOST_STEPS * (step := factor * power))


def _seeds(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise ConfigError([f"{override.input_line}: a trial runs all its seeds; write seed=0,1,2"])
    return list(override.sweep_string_iterator())


def _determining(cfg: DictConfig) -> dict[str, Any]:
    return {key: value for key, value in flattened(plain_settings(cfg)) if key not in not_determining()}
