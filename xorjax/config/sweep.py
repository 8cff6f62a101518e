"""A sweep's points, expanded and checked before the first of them runs, and the command that runs each alone."""

import copy
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, ValueType
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from xorjax.config.engine import start_engine
from xorjax.config.errors import ConfigError, report
from xorjax.config.parts import for_each, parse, refuse_only
from xorjax.config.validate import KEYS, load_config

TRAIN = "scripts/train.py"
Run = Callable[[Sequence[Any], str, Any], Sequence[Any]]
"""`xorjax.pipeline.sweep.run`, of which nothing is imported here: runs points, each its settings and the command that
runs it alone, for a command that the user gave, on an engine or, for None, in this process.
"""


class SweepCallback(Callback):
    """Checks all points before Hydra does anything with them; it would only warn of an error raised here."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _exit_on_error():
            refuse_only(config)
            load_config(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        loader = GlobalHydra.instance().config_loader()
        with _exit_on_error():
            points: dict[str, list[list[str]]] = {}
            for part, overrides in _expand(loader, config):
                points.setdefault(part, []).append(overrides)
            composed = for_each(points, lambda own: _composed_right(loader, config, own))
        # Hydra's launchers would compose every point once more to run it, 0.1 s each time.
        ready = {key: cfg for part in composed.values() for key, cfg in part.items()}
        loader.load_sweep_config = lambda master_config, sweep_overrides: ready[tuple(sweep_overrides)]


class PointsFailed(Exception):
    """Points failed, each shown by then; `ours`: at least one by a bug."""

    def __init__(self, ours: bool):
        self.ours = ours
        super().__init__()


def launch_points(
    points: Sequence[tuple[DictConfig, Any]], run: Run, engine: DictConfig | None = None
) -> None:
    """Run points that Hydra composed.

    Args:
        points: the settings of each, and Hydra's own while it runs it.
        run: runs them.
        engine: what makes the stages, by name with its arguments; None: this process.

    Raises:
        PointsFailed: at least one did.
    """
    jobs = [(load_config(cfg), point_command(hydra)) for cfg, hydra in points]
    outcomes = run(jobs, given_command(), engine and start_engine(engine))
    if any(outcome.status != "ok" for outcome in outcomes):
        raise PointsFailed(any(outcome.ours for outcome in outcomes))


@contextmanager
def _exit_on_error():
    try:
        yield
    except Exception as error:
        raise SystemExit(report(error)) from None


def expand(loader: ConfigLoader, config: DictConfig) -> list[list[str]]:
    """The overrides of every point of a sweep, in order: all combinations of what holds for a part, part after part.

    What holds for all parts varies outermost, so that a command that is stopped leaves the first seeds whole.

    Raises:
        ConfigError: a parameter of the experiment names no setting, or has a range to be searched; a sweep has no
            values; a part that is not there is chosen.
    """
    return [overrides for _, overrides in _expand(loader, config)]


def _expand(loader: ConfigLoader, config: DictConfig) -> Iterator[tuple[str, list[str]]]:
    """As `expand`, each with the name of its part."""
    parts = parse(loader, config)
    for_each(parts, lambda part: refuse_ranges(part.values()))
    for_each(parts, lambda part: refuse_empty(part.values()))
    first, *others = parts.values()
    shared = {key: override for key, override in first.items() if all(o.get(key) is override for o in others)}
    for outer in _combinations(shared):
        for name, part in parts.items():
            for inner in _combinations({key: part[key] for key in part if key not in shared}):
                texts = outer | inner
                yield name, [texts[key] for key in part]


def _combinations(overrides: Mapping[str, Override]) -> Iterator[dict[str, str]]:
    """All combinations of the values of overrides: of each key an override with one value."""
    values = [
        o.sweep_string_iterator() if o.is_sweep_override() else [o.get_value_element_as_str()]
        for o in overrides.values()
    ]
    for combination in product(*values):
        yield {key: f"{key}={value}" for key, value in zip(overrides, combination, strict=True)}


def refuse_ranges(overrides: Iterable[Override]) -> None:
    """Raises `ConfigError` for a sweep over what has no single values."""
    problems = [
        f"{text.input_line} cannot be swept: search it, by python scripts/search.py"
        for text in overrides
        if text.is_sweep_override() and not text.is_discrete_sweep()
    ]
    if problems:
        raise ConfigError(problems)


def refuse_empty(overrides: Iterable[Override]) -> None:
    """Raises `ConfigError` for a sweep without values, by whose product there would be no points."""
    problems = []
    for override in overrides:
        if not override.is_discrete_sweep():
            continue
        try:
            values = override.sweep_string_iterator()
        except ValueError as error:  # a range by steps of 0
            problems.append(f"{override.input_line} cannot be: {error}")
            continue
        if next(values, None) is None:
            why = "write the values, as in seed=0,1,2"
            if override.value_type == ValueType.RANGE_SWEEP:
                why = "a range ends before its second number, so that seed=range(0,3) is 0, 1 and 2"
            elif override.value_type == ValueType.GLOB_CHOICE_SWEEP:
                why = f"glob chooses among the files of a group, of which none under {override.key_or_group} matches"
            problems.append(f"{override.input_line} has no values, so that there are no points; {why}")
    if problems:
        raise ConfigError(problems)


def compose(loader: ConfigLoader, master: DictConfig, points: Sequence[list[str]]) -> list[DictConfig]:
    """What Hydra composes for each point.

    Points that choose the same of every group differ in values alone: Hydra composes the first of them, which
    takes it 0.1 s, and the values of the others are written over a copy.
    """
    parser = OverridesParser.create(config_loader=loader)
    bases: dict[tuple[str | None, ...], DictConfig] = {}
    composed = []
    for point in points:
        parsed = parser.parse_overrides(point)
        values = [override for override in parsed if _is_value(override)]
        choices = tuple(override.input_line for override in parsed if override not in values)
        if choices not in bases:
            bases[choices] = loader.load_sweep_config(master, point)
        cfg = copy.deepcopy(bases[choices])
        for override in values:
            OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True)
        with open_dict(cfg.hydra):
            cfg.hydra.overrides.task = list(point)
            cfg.hydra.job.override_dirname = get_overrides_dirname(
                parsed, **cfg.hydra.job.config.override_dirname
            )
        composed.append(cfg)
    return composed


def _composed_right(
    loader: ConfigLoader, master: DictConfig, points: Sequence[list[str]]
) -> dict[tuple[str, ...], DictConfig]:
    """What Hydra composes for each point, each of them checked."""
    composed = compose(loader, master, points)
    for cfg in composed:
        load_config(cfg)
    return {tuple(overrides): cfg for overrides, cfg in zip(points, composed, strict=True)}


def _is_value(override: Override) -> bool:
    """Whether an override does nothing but put a value in the place of another."""
    return override.type == OverrideType.CHANGE and override.key_or_group in KEYS


def given_command(script: str = TRAIN) -> str:
    """The command that the user gave."""
    return _command(script, sys.argv[1:])


def _command(script: str, arguments: Sequence[str]) -> str:
    # uv sets this for what it runs. Its environment is not one that `python` alone would find.
    python = "uv run python" if os.environ.get("UV_RUN_RECURSION_DEPTH") else "python"
    return shlex.join([*python.split(), script, *arguments])


def point_command(hydra: Any) -> str:
    """The command that runs one point alone.

    Args:
        hydra: Hydra's own settings while it runs the point: `HydraConfig.get()`.
    """
    task = sorted(hydra.overrides.task, key=lambda override: not override.startswith("+"))
    appended = [override for override in task if override.startswith("+")]
    # Only an experiment sweeps by itself and must be told not to.
    mode = ["hydra.mode=RUN"] if any(o.startswith("+experiment=") for o in appended) else []
    own = [
        o
        for o in hydra.overrides.hydra
        if not o.lstrip("+~").startswith(("hydra.mode=", "hydra.sweep", "hydra/sweeper="))
    ]
    return _command(TRAIN, [*appended, *mode, *own, *task[len(appended) :]])
