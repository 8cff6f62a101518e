"""The shape of a run's configuration: one dataclass per Hydra group, and all there is to say of each setting.

`conf/` says the same with comments for the user; `validate.load_config` turns what Hydra composed into a
`Config`, refusing anything that does not fit. Nothing below the pipeline sees Hydra's own objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from xorjax.codec import CODES, Code
from xorjax.data.config import DataConfig
from xorjax.masks import EXACT_CODECS, MASK_CODECS
from xorjax.masks.base import INDEX_BITS
from xorjax.merge import changed
from xorjax.settings import BETWEEN, FRACTION, PLANES, POSITIVE, SCALES, SEED, Range, kind, setting
from xorjax.tasks.task import TASKS
from xorjax.trackers import LIBRARIES


def models() -> Mapping[str, Any]:
    """All models by id; flax is imported when they are asked for."""
    from xorjax.models.registry import MODELS

    return MODELS


@dataclass(frozen=True)
class ModelConfig:
    """A model of the registry by its id."""

    name: str = setting("lenet5", lambda: tuple(models()), "Its id.")


@dataclass(frozen=True)
class OptimConfig:
    """One training run. Used three times: dense training, pruning levels, quantized fine-tuning."""

    name: str = setting(
        "adam", ("adam", "adamw", "sgd"), "adamw decouples weight decay, sgd has momentum 0.9."
    )
    learning_rate: float = setting(2e-3, POSITIVE, "The largest.")
    epochs: int = setting(8, Range(1), "Passes over the training split.")
    batch_size: int = setting(128, Range(1), "Examples a step.")
    schedule: str = setting(
        "cosine", ("constant", "cosine", "one_cycle", "step"), "How the learning rate goes on after warm-up."
    )
    drops: tuple[float, ...] = setting(
        (0.5, 0.75),
        BETWEEN,
        "The parts of the epochs after which `step` lowers the learning rate.",
        added=True,
        applies=lambda optim: optim.schedule == "step",
    )
    drop_factor: float = setting(
        0.1,
        BETWEEN,
        "What it is multiplied by each time.",
        added=True,
        applies=lambda optim: optim.schedule == "step",
    )
    warmup_epochs: float = setting(0.5, Range(0), "Epochs over which the learning rate rises from 0.")
    weight_decay: float = setting(0.0, Range(0), "L2 penalty on kernels.")
    label_smoothing: float = setting(
        0.05, FRACTION, "The share of the target that is spread over all classes."
    )
    clip: float = setting(
        0.0, Range(0), "The largest norm of all gradients of a step together; 0: any.", added=True
    )
    distill: float = setting(
        0.0,
        Range(0, 1),
        "The share of the loss that the dense model's outputs are the target of.",
        added=True,
    )
    temperature: float = setting(
        2.0,
        POSITIVE,
        "By which outputs are divided for that.",
        added=True,
        applies=lambda optim: optim.distill > 0,
    )


@dataclass(frozen=True)
class ScheduleConfig:
    """The prune rates a trajectory passes: `levels` rates from `first` to `last`, spaced by `name`."""

    name: str = setting(
        "geometric",
        ("geometric", "linear", "cubic"),
        "Each level keeps the same share, removes as much, or removes much at first.",
        applies=lambda schedule: schedule.levels > 1,
    )
    first: float = setting(0.5, BETWEEN, "The first rate.", applies=lambda schedule: schedule.levels > 1)
    last: float = setting(0.9, BETWEEN, "The last rate, before prune.rate itself.")
    levels: int = setting(3, Range(1), "How many rates; a single one is `last`.")


@dataclass(frozen=True)
class PruneConfig:
    """Iterative magnitude pruning, and the level of the trajectory at which a point leaves it."""

    rate: float = setting(0.95, FRACTION, "The fraction of weights removed, S.", per_layer=True)
    layers: tuple[str, ...] = setting(("fc1",), help="Layers to prune, quantize and encode, by patterns.")
    scope: str = setting("layer", ("layer", "global"), "Each layer loses `rate`, or all are ranked together.")
    score: str = setting("magnitude", ("magnitude", "outgoing"), "What ranks the weights.", added=True)
    structure: float = setting(
        0.0, Range(0, 4), "A bias towards rows and columns that keep many weights.", added=True
    )
    strategy: str = setting(
        "continue", ("continue", "rewind", "rewind_lr"), "What follows the removal of a level's weights."
    )
    rewind_epoch: int = setting(
        1,
        Range(0),
        "The epoch of dense training that is gone back to.",
        applies=lambda prune: prune.strategy != "continue",
    )
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    through: tuple[float, ...] = setting((), BETWEEN, "Further rates that the trajectory passes, ascending.")
    optim: OptimConfig = setting(
        default_factory=lambda: OptimConfig(learning_rate=1e-3, epochs=3, warmup_epochs=0.0),
        help="The training of each level, for `continue`.",
        applies=lambda prune: prune.strategy == "continue",
    )

    @property
    def keep_epoch(self) -> int | None:
        """The epoch of dense training whose weights are needed again."""
        return self.rewind_epoch if self.strategy == "rewind" else None


@dataclass(frozen=True)
class QuantizeConfig:
    """Straight-through fine-tuning of the pruned layers to binary planes."""

    n_planes: int = setting(1, PLANES, "Bit planes a weight.", per_layer=True)
    scale: str = setting("tensor", SCALES, "What shares one scale.", per_layer=True)
    scale_bits: int = setting(
        32,
        Range(2, 32),
        "Bits of a scale: 32, a float, or fewer as fixed point.",
        per_layer=True,
        added=True,
    )
    rest_bits: int = setting(
        32,
        Range(2, 32),
        "Bits of each value that is in no code, such as a bias: 32, a float, or fewer as fixed point.",
        added=True,
    )
    ste: str = setting("clipped", ("clipped", "identity"), "The gradient of the sign.")
    words: str = setting(
        "search",
        ("search", "latent", "soft"),
        "How a trained code is learned: searched for float weights in every step, as bits of its own, or as a choice "
        "of vectors that is soft at first.",
        added=True,
    )
    steepness: float = setting(
        5.0,
        POSITIVE,
        "S of the gradient of latent bits, S (1 - tanh^2(S x)).",
        added=True,
        applies=lambda quantize: quantize.words == "latent",
    )
    steepness_doubles: tuple[float, ...] = setting(
        (),
        BETWEEN,
        "Shares of the training after which S doubles.",
        added=True,
        applies=lambda quantize: quantize.words == "latent",
    )
    optim: OptimConfig = field(
        default_factory=lambda: OptimConfig(learning_rate=1e-3, epochs=5, warmup_epochs=0.0)
    )


def is_exact(codec: str) -> bool:
    """Whether a mask codec stores any mask; pruning must take its mask from the others."""
    return codec in EXACT_CODECS


def _makes_masks(mask: "MaskConfig") -> bool:
    return not is_exact(mask.codec)


@dataclass(frozen=True)
class MaskConfig:
    """How the mask is stored; an approximate codec makes the mask itself, and all but `codec` is for it."""

    codec: str = setting("ans_rc", lambda: tuple(MASK_CODECS), "How the mask is stored.", per_layer=True)
    index_bits: float | None = setting(
        None, INDEX_BITS, "Bits a weight; null: the codec's own choice.", applies=_makes_masks
    )
    start_rate: float = setting(
        0.5, FRACTION, "The prune rate whose scores choose the mask.", applies=_makes_masks
    )
    rounds: int = setting(2, Range(1, 10), "Trainings under a mask.", applies=_makes_masks)
    search: str = setting(
        "rounds",
        ("rounds", "loop"),
        "When the mask is chosen: before each round, or all through the rounds before the last.",
        added=True,
        applies=_makes_masks,
    )
    choices: int = setting(
        4,
        Range(1, 100),
        "Times an epoch that it is chosen there, at most.",
        added=True,
        applies=lambda mask: _makes_masks(mask) and mask.search == "loop",
    )
    seed: int = setting(0, SEED, "What pseudo-random masks are drawn from.", applies=_makes_masks)


@dataclass(frozen=True)
class SweepConfig:
    """What a command with several points does when one of them fails."""

    on_error: str = setting(
        "continue", ("continue", "stop"), "Whether the other points are run.", determines=False
    )


@dataclass(frozen=True)
class PathsConfig:
    """Where things are."""

    root: str = setting(".", help="The project.", determines=False)
    runs: str = setting("runs", help="Everything that a run writes.", determines=False)


Rule = tuple[str, tuple[tuple[str, Any], ...]]
"""A pattern of layers, and the settings of their own that they have by dotted key."""


@dataclass(frozen=True)
class Config:
    """One point of an experiment."""

    report: str = setting("single", help="The name of the report.", determines=False)
    seed: int = setting(0, SEED, "Draws initial weights and the order of batches.")
    freeze: tuple[str, ...] = setting((), help="Layers that keep their dense weights, by patterns.")
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    task: Any = kind(lambda: TASKS, "images", "What is learned.")
    optim: OptimConfig = field(default_factory=OptimConfig)
    prune: PruneConfig = field(default_factory=PruneConfig)
    quantize: QuantizeConfig = field(default_factory=QuantizeConfig)
    code: Code = kind(lambda: CODES, "xor", "How the signs are stored.", per_layer=True)
    mask: MaskConfig = field(default_factory=MaskConfig)
    per_layer: tuple[Rule, ...] = setting((), help="Settings that layers have of their own, by patterns.")
    sweep: SweepConfig = field(default_factory=SweepConfig)
    trackers: tuple[str, ...] = setting(
        (), tuple(LIBRARIES), "Who is told of the training.", determines=False
    )
    paths: PathsConfig = field(default_factory=PathsConfig)

    @property
    def layers(self) -> tuple[str, ...]:
        """Those of the model, in forward order."""
        return tuple(models()[self.model.name].layers)

    @property
    def pruned_layers(self) -> tuple[str, ...]:
        """Those that `prune.layers` names."""
        return matching(self.layers, self.prune.layers)

    @property
    def frozen_layers(self) -> tuple[str, ...]:
        """Those that `freeze` names."""
        return matching(self.layers, self.freeze)

    def for_layer(self, layer: str) -> "Config":
        """The settings as they are for one layer: those of the first rule of `per_layer` whose pattern matches it."""
        for pattern, settings in self.per_layer:
            if fnmatchcase(layer, pattern):
                return changed(replace(self, per_layer=()), dict(settings))
        return self


def matching(layers: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The layers that one of the patterns matches."""
    return tuple(layer for layer in layers if any(fnmatchcase(layer, pattern) for pattern in patterns))
