"""The best point of a prune rate, and the other codecs beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from xorjax.metric import Metric
from xorjax.results.losses import Loss
from xorjax.results.names import code_name
from xorjax.results.variants import SAID, said

ENTROPIES = {
    "sign_entropy": "same mask + sign entropy",
    "context_entropy": "same mask + context entropy",
}
"""Columns of entropies of the kept signs, and what readers call the totals with them."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bits per weight and bytes of the whole file, means over `n_seeds`."""

    code_bits: float
    patch_bits: float
    index_bits: float
    scale_bits: float
    bits_per_weight: float
    file_bytes: float | None
    n_seeds: int


@dataclass(frozen=True, kw_only=True)
class Baseline(Size):
    """Another codec on the same quantized models; `best` of one that stands for several, which."""

    name: str
    best: str = ""


@dataclass(frozen=True, kw_only=True)
class Best(Size):
    """The best point of one prune rate; means over `n_seeds` seeds, `*_spread` their sample deviation.

    `loss`, and whether it `is_close`, are against the reference; `dense_metric` is the model that both come from.

    `point` is the one of the seed that validates best, whose file stands for all. `n_bounded`: slices of a bounded
    search in all points of this prune rate, chosen or not. `file_bytes`, `file_bits_per_parameter`: of the whole model,
    None where they are not known. What the code does not have is None: n_in, n_out, method, patches. `shape`: n_in
    and n_out for readers, "" where there are none. `approximate`: whether its mask codec chooses the mask.
    """

    prune_rate: float
    code: str
    method: str | None
    n_in: int | None
    n_out: int | None
    asked: str | None
    shape: str
    patch_format: str | None
    mask_codec: str | None
    variant: str
    approximate: bool
    point: str
    metric: Metric
    dense_metric: float
    dense_epochs: float
    reference_metric: float
    reference_validation_metric: float | None
    epochs: float
    validation_metric: float | None
    test_metric: float
    test_metric_spread: float | None
    loss: Loss
    is_close: bool
    bits_per_weight_spread: float | None
    patches_per_slice: float | None
    file_bits_per_parameter: float | None
    value_bound: float
    sign_entropy: float | None
    context_entropy: float | None
    kept_score: float
    baselines: tuple[Baseline, ...]
    n_bounded: int

    @property
    def said(self) -> str:
        """Its setting for readers."""
        return said(getattr(self, name) for name in SAID)

    @property
    def name(self) -> str:
        """What readers call its code."""
        return code_name(self.code)

    @property
    def value_bits(self) -> float:
        return self.code_bits + self.patch_bits

    @property
    def mark(self) -> str:
        """A star behind the metric where it is not close to the reference's."""
        return "" if self.is_close else " *"

    @property
    def tested(self) -> str:
        """Mean and spread of the metric on the test split, marked."""
        return self.metric.number(self.test_metric, self.test_metric_spread) + self.mark

    @property
    def sizes(self) -> dict[str, float]:
        """Bits per weight of the baselines by name."""
        return {baseline.name: baseline.bits_per_weight for baseline in self.baselines}

    @property
    def at_entropy(self) -> dict[str, float]:
        """What the same mask and scales take with the signs in as many bits as their entropy, by name; where known."""
        known = {name: getattr(self, column) for column, name in ENTROPIES.items()}
        beside = self.index_bits + self.scale_bits
        return {name: entropy + beside for name, entropy in known.items() if entropy is not None}

    @property
    def least(self) -> float:
        """Bits per weight of the smallest codec, its own included."""
        return min((self.bits_per_weight, *self.sizes.values()))


def best_of_each(summary: Sequence[Best]) -> str:
    """The heading of the best points."""
    kind = "XOR point" if all(best.code == "xor" for best in summary) else "point"
    return f"Best {kind} of each prune rate"
