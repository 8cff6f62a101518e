"""Which stages a point passes, and the name of each: a pure function of its configuration.

A name hashes what determines the artifact and the name of the one it is made from, so points that agree on a stage
and on all before it share it.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise

from xorjax.artifacts.graph import Stage
from xorjax.codec import BASELINES
from xorjax.codec.predict import choose_n_out
from xorjax.config.identity import identity
from xorjax.config.schema import Config, given_n_out
from xorjax.masks import APPROXIMATE_CODECS
from xorjax.models.registry import get_model
from xorjax.prune.trajectory import trajectory


@dataclass(frozen=True)
class Level(Stage):
    """One level of the pruning trajectory."""

    prune_rate: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The stages of one point, in order."""

    config: Config
    dense: Stage
    levels: tuple[Level, ...]
    mask: Level | None
    quantize: Stage
    baselines: Stage
    encode: Stage
    evaluate: Stage

    @property
    def stages(self) -> tuple[Stage, ...]:
        mask = () if self.mask is None else (self.mask,)
        return (self.dense, *self.levels, *mask, self.quantize, self.baselines, self.encode, self.evaluate)

    @property
    def pruned(self) -> Stage:
        """Where the masks come from; the dense model where nothing is pruned."""
        return self.mask or (self.levels[-1] if self.levels else self.dense)

    @property
    def point(self) -> str:
        """The point's id: two points with the same results have the same."""
        return self.evaluate.name

    def needs(self, stage: Stage) -> tuple[Stage, ...]:
        """What `stage` is made from, directly."""
        match stage.kind:
            case "dense":
                return ()
            case "prune" | "mask":
                # From the stage before, and the dense model's features.
                before = self.stages[self.stages.index(stage) - 1]
                return tuple(dict.fromkeys((self.dense, before)))
            case "quantize":
                return tuple(dict.fromkeys((self.dense, self.pruned)))
            case "baselines":
                return (self.quantize,)
            case "encode":
                return (self.pruned, self.quantize)
            case "evaluate":
                return (self.quantize, self.encode)
        raise ValueError(f"{stage.kind} {stage.name} is no stage of a plan")


def make_plan(config: Config) -> Plan:
    """The stages of the point that `config` describes."""
    slug = f"{config.model.name}-{config.data.name}-seed{config.seed}"
    dense = _dense(config, slug)
    levels = _levels(config, dense, slug)
    pruned: Stage = levels[-1] if levels else dense
    slug = f"{slug}-S{config.prune.rate:.6g}"
    mask = None
    if config.mask.codec in APPROXIMATE_CODECS:
        slug = f"{slug}-{config.mask.codec}"
        pruned = mask = _mask(config, pruned, slug)
    slug = f"{slug}-q{config.quantize.n_planes}"
    quantize = _quantize(config, pruned, slug)
    baselines = Stage(
        "baselines", identity("baselines", {"codecs": sorted(BASELINES)}, quantize.name, slug=slug)
    )
    n_in, n_out = xor_shape(config)
    slug = f"{slug}-xor{n_in}x{n_out}"
    encode = _encode(config, quantize, slug)
    evaluate = Stage("evaluate", identity("evaluate", {}, encode.name, slug=slug))
    return Plan(config, dense, levels, mask, quantize, baselines, encode, evaluate)


def _dense(config: Config, slug: str) -> Stage:
    settings = {
        "data": config.data,
        "model": config.model,
        "optim": config.optim,
        "seed": config.seed,
        "keep_epoch": config.prune.rewind_epoch if config.prune.strategy == "rewind" else None,
    }
    return Stage("dense", identity("dense", settings, slug=slug), config.optim.epochs)


def _levels(config: Config, dense: Stage, slug: str) -> tuple[Level, ...]:
    """The pruning trajectory; a mask that comes after it takes over at its own rate."""
    prune, mask = config.prune, config.mask
    rewinds = prune.strategy != "continue"
    epochs = config.optim.epochs - prune.rewind_epoch if rewinds else prune.optim.epochs
    levels: list[Level] = []
    for rate in trajectory(prune):
        if mask.codec in APPROXIMATE_CODECS and rate > mask.start_rate:
            continue
        settings = {
            "rate": rate,
            "layers": prune.layers,
            "scope": prune.scope,
            **({"score": prune.score} if prune.score != "magnitude" else {}),
            **({"structure": prune.structure} if prune.structure else {}),
            "strategy": prune.strategy,
            "rewind_epoch": prune.rewind_epoch if rewinds else None,
            "optim": None if rewinds else prune.optim,
            "frozen": sorted(frozen_layers(config)),
        }
        upstream = levels[-1].name if levels else dense.name
        levels.append(
            Level("prune", identity("prune", settings, upstream, slug=f"{slug}-S{rate:.6g}"), epochs, rate)
        )
    return tuple(levels)


def _mask(config: Config, pruned: Stage, slug: str) -> Level:
    prune = config.prune
    settings = {
        "mask": config.mask,
        "rate": prune.rate,
        "layers": prune.layers,
        "score": prune.score,
        "optim": prune.optim,
        "frozen": sorted(frozen_layers(config)),
    }
    name = identity("mask", settings, pruned.name, slug=slug)
    return Level("mask", name, config.mask.rounds * prune.optim.epochs, prune.rate)


def _quantize(config: Config, pruned: Stage, slug: str) -> Stage:
    settings = {
        "quantize": config.quantize,
        "layers": config.prune.layers,
        "frozen": sorted(frozen_layers(config)),
    }
    name = identity("quantize", settings, pruned.name, slug=slug)
    return Stage("quantize", name, config.quantize.optim.epochs)


def _encode(config: Config, quantize: Stage, slug: str) -> Stage:
    xor = config.xor
    n_in, n_out = xor_shape(config)
    settings = {
        "n_in": n_in,
        "n_out": n_out,
        "layout": xor.layout,
        **({"layout_seed": xor.layout_seed} if xor.layout == "shuffled" else {}),
        "seed": xor.seed,
        "taps": xor.taps,
        "method": xor.method,
        "encoder": xor.encoder,
        "patch_format": xor.patch_format,
        "patch_block": xor.patch_block if xor.patch_format == "blocked" else None,
        # An approximate codec has made its mask before.
        "mask": {"codec": config.mask.codec},
    }
    return Stage("encode", identity("encode", settings, quantize.name, slug=slug))


@lru_cache(maxsize=1024)
def xor_shape(config: Config) -> tuple[int, int]:
    """`(n_in, n_out)` of the XOR network; n_out predicted to give the fewest value bits where none is given."""
    xor = config.xor
    n_out = given_n_out(config)
    if n_out is None:
        n_out = choose_n_out(
            xor.n_in,
            config.prune.rate,
            method=xor.method,
            patch_format=xor.patch_format,
            patch_block=xor.patch_block,
        )
    return xor.n_in, n_out


def frozen_layers(config: Config) -> frozenset[str]:
    """The layers that `freeze` names."""
    layers = get_model(config.model.name).blocks
    return frozenset(
        layer for layer in layers if any(fnmatchcase(layer, pattern) for pattern in config.freeze)
    )


def frozen_blocks(config: Config) -> int:
    """How many blocks at the start of the model are frozen: their outputs never change after dense training."""
    frozen = frozen_layers(config)
    blocks = get_model(config.model.name).blocks
    return next((i for i, block in enumerate(blocks) if block not in frozen), len(blocks))


def following_kernels(model: str) -> dict[str, str]:
    """The kernel that each kernel's outputs meet next, by path."""
    return {f"{layer}/kernel": f"{after}/kernel" for layer, after in pairwise(get_model(model).blocks)}
