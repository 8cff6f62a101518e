"""The shape of a run's configuration: one dataclass per Hydra group, defaults included.

`conf/` says the same with comments for the user; `validate.load_config` turns what Hydra composed into a
`Config`, refusing anything that does not fit. Nothing below the pipeline sees Hydra's own objects.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from xorjax.data.config import DataConfig


@dataclass(frozen=True)
class ModelConfig:
    """A model of the registry by its id."""

    name: str = "lenet5"


@dataclass(frozen=True)
class OptimConfig:
    """One training run. Used three times: dense training, pruning levels, quantized fine-tuning."""

    name: str = "adam"
    learning_rate: float = 2e-3
    epochs: int = 8
    batch_size: int = 128
    schedule: str = "cosine"
    warmup_epochs: float = 0.5
    weight_decay: float = 0.0
    label_smoothing: float = 0.05


@dataclass(frozen=True)
class ScheduleConfig:
    """The prune rates a trajectory passes: `levels` rates from `first` to `last`, spaced by `name`."""

    name: str = "geometric"
    first: float = 0.5
    last: float = 0.9
    levels: int = 3


@dataclass(frozen=True)
class PruneConfig:
    """Iterative magnitude pruning, and the level of the trajectory at which a point leaves it."""

    rate: float = 0.95
    layers: tuple[str, ...] = ("fc1",)
    scope: str = "layer"
    score: str = field(default="magnitude", metadata={"neutral": "magnitude"})
    structure: float = field(default=0.0, metadata={"neutral": 0.0})
    strategy: str = "continue"
    rewind_epoch: int = 1
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    through: tuple[float, ...] = ()
    optim: OptimConfig = field(
        default_factory=lambda: OptimConfig(learning_rate=1e-3, epochs=3, warmup_epochs=0.0)
    )


@dataclass(frozen=True)
class QuantizeConfig:
    """Straight-through fine-tuning of the pruned layers to binary planes."""

    n_planes: int = 1
    scale: str = "tensor"
    ste: str = "clipped"
    optim: OptimConfig = field(
        default_factory=lambda: OptimConfig(learning_rate=1e-3, epochs=5, warmup_epochs=0.0)
    )


@dataclass(frozen=True)
class XorConfig:
    """The XOR network and its encoder. `n_out` and `fill` null: the n_out with the fewest predicted bits."""

    n_in: int = 20
    layout: str = "interleaved"
    layout_seed: int = 0
    n_out: int | None = None
    fill: float | None = None
    seed: int = 0
    taps: int | None = None
    method: str = "minimum"
    encoder: str = "numba"
    patch_format: str = "care"
    patch_block: int = 16


@dataclass(frozen=True)
class MaskConfig:
    """How the mask is stored; an approximate codec makes the mask itself, and all but `codec` is for it."""

    codec: str = "ans_rc"
    index_bits: float | None = None
    start_rate: float = 0.5
    rounds: int = 2
    seed: int = 0


@dataclass(frozen=True)
class SweepConfig:
    """What a command with several points does when one of them fails: "continue" with the others, or "stop"."""

    on_error: str = "continue"


@dataclass(frozen=True)
class PathsConfig:
    """Where things are: `root` the project, `runs` everything that a run writes."""

    root: str = "."
    runs: str = "runs"


@dataclass(frozen=True)
class Config:
    """One point of an experiment."""

    report: str = "single"
    seed: int = 0
    freeze: tuple[str, ...] = ()
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    prune: PruneConfig = field(default_factory=PruneConfig)
    quantize: QuantizeConfig = field(default_factory=QuantizeConfig)
    xor: XorConfig = field(default_factory=XorConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    trackers: tuple[str, ...] = ()
    paths: PathsConfig = field(default_factory=PathsConfig)


def given_n_out(config: Config) -> int | None:
    """`xor.n_out`, or the nearest integer to `fill * n_in / (1 - rate)`; None if neither is given."""
    xor = config.xor
    if xor.n_out is not None or xor.fill is None:
        return xor.n_out
    # Exact in the decimals that the user wrote, so that a half never depends on binary rounding.
    fill, rate = Fraction(repr(xor.fill)), Fraction(repr(config.prune.rate))
    return round(fill * xor.n_in / (1 - rate))
