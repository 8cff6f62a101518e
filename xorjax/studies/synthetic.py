"""What the XOR code costs on random planes: fair bits, each kept with probability 1 - S on its own.

The setting of the paper's synthetic studies (CVPR 2020, arXiv 1905.10138). Bits are counted from the bytes that
would be written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from xorjax.codec.encoded import encode
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.gf2.network import XorNetwork


@dataclass(frozen=True)
class Measured:
    """One plane through the code; bits are per weight, pruned ones included.

    Attributes:
        fill: care bits expected of a slice over n_in.
        patch_bits: by patch format, counts and positions.
        n_bounded: slices whose patches are not proven to be the fewest (`gf2.minimum`).
    """

    prune_rate: float
    n_in: int
    n_out: int
    method: str
    seed: int
    n_slices: int
    patches_per_slice: float
    patches_per_care_bit: float
    code_bits: float
    patch_bits: dict[str, float]
    n_bounded: int

    @property
    def fill(self) -> float:
        return (1 - self.prune_rate) * self.n_out / self.n_in

    def value_bits(self, patch_format: str) -> float:
        """Code words and patches together."""
        return self.code_bits + self.patch_bits[patch_format]


def random_plane(
    n_weights: int, prune_rate: float, seed: int
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Fair bits, and which of them are kept."""
    rng = np.random.default_rng(seed)
    return rng.random(n_weights, np.float32) < 0.5, rng.random(n_weights) >= prune_rate


def measure(
    bits: Bool[np.ndarray, " n"],
    care: Bool[np.ndarray, " n"],
    prune_rate: float,
    n_in: int,
    n_out: int,
    method: str = "minimum",
    patch_formats: Sequence[str] = tuple(PATCH_FORMATS),
    seed: int = 0,
    patch_block: int = 16,
) -> Measured:
    """Encode a plane with the XOR network of `seed` and count it in each of the patch formats."""
    net = XorNetwork.random(n_in, n_out, seed)
    encoded = encode(bits, care, net, method, patch_formats[0], patch_block)
    sizes = {
        name: replace(encoded, code=replace(encoded.code, patch_format=name)).nbits for name in patch_formats
    }
    n_patches = len(encoded.patch_positions)
    return Measured(
        prune_rate,
        n_in,
        n_out,
        method,
        seed,
        len(encoded.codes),
        n_patches / len(encoded.codes),
        n_patches / max(1, int(care.sum())),
        encoded.nbits["codes"] / bits.size,
        {
            name: (nbits["patch_counts"] + nbits["patch_positions"]) / bits.size
            for name, nbits in sizes.items()
        },
        encoded.n_bounded,
    )


def sweep(
    n_weights: int,
    prune_rates: Sequence[float],
    fills: Mapping[int, Sequence[float]],
    patch_formats: Mapping[str, Sequence[str]],
    seeds: Sequence[int] = (0,),
) -> Iterator[Measured]:
    """Every prune rate, seed, n_in with each of its fills, and method with the patch formats to count it in.

    A fill is the care bits expected of a slice over n_in, so that n_out = fill n_in / (1 - S), rounded, and above n_in.
    """
    for prune_rate in prune_rates:
        for seed in seeds:
            bits, care = random_plane(n_weights, prune_rate, seed)
            for n_in, of_n_in in fills.items():
                n_outs = {max(n_in + 1, round(fill * n_in / (1 - prune_rate))) for fill in of_n_in}
                for n_out in sorted(n_outs):
                    for method, formats in patch_formats.items():
                        yield measure(bits, care, prune_rate, n_in, n_out, method, formats, seed)
