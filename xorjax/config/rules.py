"""What each setting may be: closed sets, ranges, and the layers that patterns are matched against.

Plain tables, so that a setting is refused before jax is imported; tests hold them to the registries.
"""

import math
from dataclasses import dataclass

LAYERS: dict[str, tuple[str, ...]] = {
    "lenet5": ("conv1", "conv2", "fc1", "fc2"),
    "lenet300": ("fc1", "fc2", "fc3"),
}
"""The layers of each model, in forward order."""

_MNIST = {"n_train": 55_000, "n_validation": 5_000, "n_test": 10_000}
SPLITS: dict[str, dict[str, int]] = {"mnist": _MNIST, "fashion_mnist": _MNIST}
"""The images in each split of each data set."""

EXACT_MASKS = ("bitmap", "ans", "ans_rc", "csr4", "csr5", "csr8", "golomb")
APPROXIMATE_MASKS = ("lowrank", "codebook", "xor")
"""Mask codecs that store any mask, and those that pruning must take its mask from."""

OPTIMS = ("optim", "prune.optim", "quantize.optim")
"""The keys that hold an `OptimConfig`."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `open` says which ends are left out ("low", "high" or both)."""

    low: int | float
    high: int | float = math.inf
    open: tuple[str, ...] = ()

    def __contains__(self, value: int | float) -> bool:
        above = self.low < value if "low" in self.open else self.low <= value
        below = value < self.high if "high" in self.open else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        low = f"{'more than' if 'low' in self.open else 'at least'} {self.low}"
        high = f"{'less than' if 'high' in self.open else 'at most'} {self.high}"
        return low if self.high == math.inf else f"{low} and {high}"

    def nearest(self, value: int | float) -> int | float | None:
        """The end that `value` is beyond; if that is left out, a hundredth of the range inside; or None."""
        below = value <= self.low
        end, other = (self.low, self.high) if below else (self.high, self.low)
        near = end + (other - end) / 100 if ("low" if below else "high") in self.open else end
        return near if near in self else None


POSITIVE = Range(0, open=("low",))
FRACTION = Range(0, 1, open=("high",))
BETWEEN = Range(0, 1, open=("low", "high"))
SEED = Range(0, 2**32 - 1)

CHOICES: dict[str, tuple[str, ...]] = {
    "data.name": tuple(SPLITS),
    "model.name": tuple(LAYERS),
    "prune.scope": ("layer", "global"),
    "prune.score": ("magnitude", "outgoing"),
    "prune.strategy": ("continue", "rewind", "rewind_lr"),
    "prune.schedule.name": ("geometric", "linear", "cubic"),
    "quantize.scale": ("tensor", "channel", "row"),
    "quantize.ste": ("clipped", "identity"),
    "xor.method": ("minimum", "greedy"),
    "xor.encoder": ("numba", "galois"),
    "xor.layout": ("row_major", "column_major", "interleaved", "shuffled"),
    "xor.patch_format": ("paper", "blocked", "care", "enumerative"),
    "mask.codec": (*EXACT_MASKS, *APPROXIMATE_MASKS),
    "sweep.on_error": ("continue", "stop"),
    "trackers": ("tensorboard", "mlflow"),
    **{f"{key}.name": ("adam", "adamw", "sgd") for key in OPTIMS},
    **{f"{key}.schedule": ("constant", "cosine") for key in OPTIMS},
}

RANGES: dict[str, Range] = {
    "seed": SEED,
    "data.n_train": Range(1),
    "data.n_validation": Range(1),
    "data.n_test": Range(1),
    "prune.rate": FRACTION,
    "prune.structure": Range(0, 4),
    "prune.rewind_epoch": Range(0),
    "prune.through": BETWEEN,
    "prune.schedule.first": BETWEEN,
    "prune.schedule.last": BETWEEN,
    "prune.schedule.levels": Range(1),
    "quantize.n_planes": Range(1, 8),
    "mask.index_bits": Range(0, 1, open=("low",)),
    "mask.start_rate": FRACTION,
    "mask.rounds": Range(1, 10),
    "mask.seed": SEED,
    "xor.n_in": Range(1, 128),
    "xor.n_out": Range(2),
    "xor.fill": Range(0, 2, open=("low",)),
    "xor.seed": SEED,
    "xor.layout_seed": SEED,
    "xor.taps": Range(1, 128),
    "xor.patch_block": Range(1),
    **{f"{key}.learning_rate": POSITIVE for key in OPTIMS},
    **{f"{key}.epochs": Range(1) for key in OPTIMS},
    **{f"{key}.batch_size": Range(1) for key in OPTIMS},
    **{f"{key}.warmup_epochs": Range(0) for key in OPTIMS},
    **{f"{key}.weight_decay": Range(0) for key in OPTIMS},
    **{f"{key}.label_smoothing": FRACTION for key in OPTIMS},
}
"""A list must have all its items in the range; null is allowed where the schema allows it."""
