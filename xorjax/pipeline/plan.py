"""Which stages a point passes, and the name of each: a pure function of its configuration.

A name hashes what the stage reads and the name of the one it is made from, so points that agree on a stage and on all
before it share it. A stage of the kind "prune" is the function `prune` in `pipeline.prune`. `READS` there are the
settings that it reads, and `NEEDS` the stages that it is made from: properties of the plan, or "before", the stage
before it.
"""

from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from types import ModuleType
from typing import Any

from xorjax.artifacts.graph import Stage
from xorjax.codec import CODES
from xorjax.config.identity import identity
from xorjax.config.reads import read
from xorjax.config.schema import Config, is_exact
from xorjax.prune.trajectory import trajectory


@dataclass(frozen=True)
class Level(Stage):
    """One level of the pruning trajectory; `lower` are the rates of the layers that end below it."""

    prune_rate: float = 0.0
    lower: tuple[tuple[str, float], ...] = ()

    def rate(self, layer: str) -> float:
        """The prune rate of one layer."""
        return dict(self.lower).get(layer, self.prune_rate)


@dataclass(frozen=True)
class Plan:
    """The stages of one point, in order."""

    config: Config
    dense: Stage
    unpruned: tuple[Stage, ...]
    reference: Stage
    levels: tuple[Level, ...]
    mask: Level | None
    quantize: Stage
    baselines: Stage
    encode: Stage
    evaluate: Stage

    @property
    def stages(self) -> tuple[Stage, ...]:
        _, *reference = self._reference_chain
        _, *quantize = self._chain
        return (self.dense, *reference, *quantize, self.baselines, self.encode, self.evaluate)

    @property
    def _reference_chain(self) -> tuple[Stage, ...]:
        return (self.dense, *self.unpruned, self.reference)

    @property
    def _chain(self) -> tuple[Stage, ...]:
        mask = () if self.mask is None else (self.mask,)
        return (self.dense, *self.levels, *mask, self.quantize)

    @property
    def epochs(self) -> int:
        """Those behind the quantized model: of the dense training and of all after it."""
        return sum(stage.epochs for stage in self._chain)

    @property
    def pruned(self) -> Stage:
        """Where the masks come from; the dense model where nothing is pruned."""
        return self.mask or (self.levels[-1] if self.levels else self.dense)

    @property
    def point(self) -> str:
        """The point's id: two points with the same results have the same."""
        return self.evaluate.name

    def needs(self, stage: Stage) -> tuple[Stage, ...]:
        """What `stage` is made from, directly: the `NEEDS` of its kind, each once."""
        before = {
            after: stage for chain in (self._reference_chain, self._chain) for stage, after in pairwise(chain)
        }
        needs = _module(stage.kind).NEEDS
        return tuple(
            dict.fromkeys(before[stage] if need == "before" else getattr(self, need) for need in needs)
        )


def make_plan(config: Config) -> Plan:
    """The stages of the point that `config` describes."""
    slug = f"{config.model.name}-{config.data.name}-seed{config.seed}"
    dense = Stage("dense", _name("dense", config, None, slug), config.optim.epochs)
    levels = _levels(config, dense, slug)
    unpruned = _unpruned(config, dense, len(levels), slug)
    reference = _reference(config, (dense, *unpruned)[-1], len(unpruned), slug)
    pruned: Stage = levels[-1] if levels else dense
    slug = f"{slug}-S{config.prune.rate:.6g}"
    mask = None
    if not is_exact(config.mask.codec):
        slug = f"{slug}-{config.mask.codec}"
        epochs = config.mask.rounds * config.prune.optim.epochs
        pruned = mask = _level("mask", config, max(_rates(config).values()), pruned, slug, epochs)
    slug = f"{slug}-q{config.quantize.n_planes}"
    trained = any(config.for_layer(layer).code.trained for layer in config.pruned_layers)
    kind = "train_code" if trained else "quantize"
    quantize = Stage(kind, _name(kind, config, pruned, slug), config.quantize.optim.epochs)
    beside = {id: code.beside for id, code in CODES.items() if code.beside}
    baselines = Stage("baselines", _name("baselines", config, quantize, slug, beside=beside))
    slug = f"{slug}-{config.code.id}{'x'.join(map(str, code_numbers(config).values()))}"
    encode = Stage("encode", _name("encode", config, quantize, slug))
    evaluate = Stage("evaluate", _name("evaluate", config, encode, slug))
    return Plan(config, dense, unpruned, reference, levels, mask, quantize, baselines, encode, evaluate)


def reads(kind: str) -> tuple[str, ...]:
    """The settings that stages of a kind read: `xorjax.config.reads`."""
    return _module(kind).READS


def _module(kind: str) -> ModuleType:
    return import_module(f"xorjax.pipeline.{kind}")


def code_numbers(config: Config) -> dict[str, int]:
    """The n_in and n_out of codes that have them; not the n_out that is chosen for each mask."""
    numbers = {name: getattr(config.code, name, None) for name in ("n_in", "n_out")}
    return {name: value for name, value in numbers.items() if value is not None}


def _name(kind: str, config: Config, upstream: Stage | None, slug: str, **further: Any) -> str:
    return identity(kind, read(config, reads(kind)) | further, upstream and upstream.name, slug)


def _levels(config: Config, dense: Stage, slug: str) -> tuple[Level, ...]:
    """The pruning trajectory, up to the largest rate of a layer; a mask that comes after it takes over at its own."""
    prune, mask, epochs = config.prune, config.mask, _level_epochs(config)
    levels: list[Level] = []
    for rate in trajectory(replace(prune, rate=max(_rates(config).values()))):
        if is_exact(mask.codec) or rate <= mask.start_rate:
            before = levels[-1] if levels else dense
            levels.append(_level("prune", config, rate, before, f"{slug}-S{rate:.6g}", epochs))
    return tuple(levels)


def _level_epochs(config: Config) -> int:
    """What a level of pruning trains."""
    prune = config.prune
    return prune.optim.epochs if prune.strategy == "continue" else config.optim.epochs - prune.rewind_epoch


def _unpruned(config: Config, dense: Stage, n_levels: int, slug: str) -> tuple[Stage, ...]:
    """The trainings of the levels and of the rounds of a mask, without pruning; named by their number, not by rates.

    With the strategy `rewind` they all would be one: each starts from the same early weights.
    """
    rounds = 0 if is_exact(config.mask.codec) else config.mask.rounds
    n = min(n_levels, 1) if config.prune.strategy == "rewind" else n_levels + rounds
    stages: list[Stage] = []
    for number in range(1, n + 1):
        name = _name("unpruned", config, (dense, *stages)[-1], f"{slug}-unpruned{number}")
        stages.append(Stage("unpruned", name, _level_epochs(config)))
    return tuple(stages)


def _reference(config: Config, before: Stage, number: int, slug: str) -> Stage:
    name = _name("reference", config, before, f"{slug}-reference{number}")
    return Stage("reference", name, config.quantize.optim.epochs)


def _level(kind: str, config: Config, rate: float, before: Stage, slug: str, epochs: int) -> Level:
    lower = {layer: own for layer, own in _rates(config).items() if own < rate}
    name = _name(kind, config, before, slug, rate=rate, lower=lower)
    return Level(kind, name, epochs, rate, tuple(lower.items()))


def _rates(config: Config) -> dict[str, float]:
    """The prune rate that each layer ends with, rounded as a trajectory's are."""
    return {layer: round(config.for_layer(layer).prune.rate, 9) for layer in config.pruned_layers}
