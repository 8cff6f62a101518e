"""The best XOR point of a prune rate, and the other codecs beside it."""

from dataclasses import dataclass

TIE = " and "
"""Between the names of codecs of one size."""


@dataclass(frozen=True)
class Baseline:
    """A codec without an XOR network on the same quantized models; bits per weight, means over `n_seeds`."""

    method: str
    name: str
    code_bits: float
    patch_bits: float
    index_bits: float
    scale_bits: float
    bits_per_weight: float
    n_seeds: int


@dataclass(frozen=True)
class Best:
    """The best XOR point of one prune rate; means over `n_seeds` seeds, `*_spread` their sample deviation.

    `point` is the one of the seed with the highest validation accuracy, whose file stands for all. `bounded`: every
    point of this prune rate, chosen or not, that has slices of a bounded search, and how many. `least_with_matrix`:
    XOR shape and bits per weight, M included, of the smallest point among those that this one was chosen from.
    """

    prune_rate: float
    method: str
    n_in: int
    n_out: int
    patch_format: str
    mask_codec: str
    variant: str
    point: str
    n_seeds: int
    dense_accuracy: float
    test_accuracy: float
    test_accuracy_spread: float | None
    is_accurate: bool
    code_bits: float
    patch_bits: float
    index_bits: float
    scale_bits: float
    bits_per_weight: float
    bits_per_weight_spread: float | None
    patches_per_slice: float
    matrix_bits: float
    least_with_matrix: tuple[str, float]
    value_bound: float
    kept_score: float
    baselines: tuple[Baseline, ...]
    bounded: tuple[tuple[str, int], ...]

    @property
    def value_bits(self) -> float:
        return self.code_bits + self.patch_bits

    @property
    def with_matrix(self) -> float:
        """Bits per weight of a file of these layers alone, which holds M too."""
        return self.bits_per_weight + self.matrix_bits

    @property
    def shape(self) -> str:
        return f"{self.n_in} → {self.n_out}"

    @property
    def mark(self) -> str:
        """A star behind the accuracy where it is not close to the dense model's."""
        return "" if self.is_accurate else " *"

    @property
    def sizes(self) -> dict[str, float]:
        """Bits per weight of the baselines by method."""
        return {baseline.method: baseline.bits_per_weight for baseline in self.baselines}

    @property
    def smallest(self) -> str:
        """The name of the codec with the fewest bits per weight, the XOR code included.

        Of several that read the same in three digits, all their names.
        """
        sizes = {"XOR code": self.bits_per_weight}
        sizes |= {baseline.name: baseline.bits_per_weight for baseline in self.baselines}
        least = f"{min(sizes.values()):.3f}"
        return TIE.join(name for name, bits in sizes.items() if f"{bits:.3f}" == least)
