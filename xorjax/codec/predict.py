"""The bits of an XOR code before it is made, in closed form, and the n_out that needs the fewest.

Of a slice's K care rows, random in GF(2)^n_in, r = K - rank are redundant, with the known distribution of a random
matrix's rank. Greedy search contradicts each of them with probability 1/2. The fewest patches are d or fewer if
one of the V = sum_{i <= d} C(K, i) patterns of so many errors has the wanted syndrome, of 2^r possible ones:
P(more than d) = (1 - 2^-r)^V. From the distribution of the patches given K follow the sizes of all patch formats.
"""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer

from xorjax.codec.patches import get_patch_format
from xorjax.codec.patches.expected import ExpectedSlices, lg_choose
from xorjax.codec.slicing import to_slices

N_WEIGHTS = 1 << 20
_MAX_N_OUT = 1 << 14
_FEW_PATCHES = 5  # beyond, the minimum method's exact search takes long, and beyond 7 it may not be exact
_FEW_COLUMNS = 16  # of M, for which that is never so


def predict_bits(
    n_in: int,
    n_out: int,
    care: float | Integer[np.ndarray, " n_slices"],
    method: str = "minimum",
    patch_format: str = "care",
    patch_block: int = 16,
    n_weights: int = N_WEIGHTS,
) -> dict[str, float]:
    """Expected bits a weight: "code_bits" and "patch_bits" (counts and positions).

    `care` is the prune rate of a random mask, or the care bits of each slice of a given one. For a random mask
    `n_weights` sets the largest count to expect.

    Raises:
        ValueError: the prune rate is not in [0, 1], or the patch format is unknown.
    """
    format = get_patch_format(patch_format)
    slices = _slices(n_in, n_out, patch_block, care, method, n_weights)
    n = slices.total * n_out if isinstance(care, np.ndarray) else n_weights
    return {"code_bits": slices.total * n_in / n, "patch_bits": format.expected_bits(slices) / n}


def choose_n_out(
    n_in: int,
    care: float | Bool[np.ndarray, "..."],
    method: str = "minimum",
    patch_format: str = "care",
    patch_block: int = 16,
    slicing: str = "interleaved",
    slicing_seed: int = 0,
    n_weights: int = N_WEIGHTS,
) -> int:
    """The multiple of 32, above `n_in`, that `predict_bits` expects the fewest bits of.

    `care` is a random mask's prune rate, or the mask itself, cut into slices as `slicing` says. Its default is that of
    `XorCode`; the function `encode` cuts by row_major unless told otherwise, so give both the same. Candidates lie
    around n_in / (1 - S), first far apart and then close. For the minimum method a slice that needs more than 5
    patches is charged greedy search's, too: its exact search would take long, or have to stop.

    Raises:
        ValueError: the prune rate is not in [0, 1], or the mask is empty.
    """
    mask = care if isinstance(care, np.ndarray) else None
    if mask is not None and mask.size == 0:
        raise ValueError("a bit plane holds at least one weight")
    prune_rate = care if mask is None else 1 - float(mask.mean())
    size = n_weights if mask is None else mask.size
    format = get_patch_format(patch_format)
    is_charged = method == "minimum" and n_in > _FEW_COLUMNS
    largest = max(min(_MAX_N_OUT, -(-size // 32) * 32), _above(n_in))
    middle = min(n_in / max(1 - prune_rate, n_in / largest), largest)
    bits: dict[int, float] = {}

    def evaluate(n_out: int) -> None:
        if n_out not in bits:
            counts = prune_rate
            if mask is not None:
                counts = np.count_nonzero(to_slices(mask, n_out, slicing, slicing_seed), axis=1)
            slices = _slices(n_in, n_out, patch_block, counts, method, n_weights)
            bits[n_out] = slices.total * n_in + format.expected_bits(slices)
            if is_charged:
                of_greedy = np.maximum(slices.n_care - n_in, 0) / 2
                many = slices.chances[:, _FEW_PATCHES + 1 :].sum(axis=1)
                bits[n_out] += float(slices.n_slices @ (many * of_greedy)) * (n_out - 1).bit_length()

    low = max(_above(n_in), int(middle * 0.5) // 32 * 32)
    high = min(max(int(middle * 1.7) // 32 * 32, low), largest)
    step = 32
    while (high - low) // step > 12:
        step *= 2
    for n_out in range(low, high + 1, step):
        evaluate(n_out)
    while step > 32:
        step //= 2
        best = min(bits, key=lambda n_out: bits[n_out])
        for n_out in (best - step, best + step):
            if low <= n_out <= largest:
                evaluate(n_out)
    return min(bits, key=lambda n_out: bits[n_out])


def _above(n_in: int) -> int:
    return (n_in // 32 + 1) * 32


def _slices(n_in, n_out, patch_block, care, method, n_weights) -> ExpectedSlices:
    if isinstance(care, np.ndarray):
        n_care, order, n_slices = np.unique(care, return_inverse=True, return_counts=True)
    else:
        if not 0 <= care <= 1:
            raise ValueError(f"the prune rate is 0 to 1, not {care}")
        n_care, chances = _binomial(n_out, 1 - care)
        order, n_slices = None, chances * -(-n_weights // n_out)
    rows = [_patch_chances(n_in, int(k), method) for k in n_care]
    table = np.zeros((len(rows), max(len(row) for row in rows)))
    for row, chances in zip(table, rows, strict=True):
        row[: len(chances)] = chances
    n_care, n_slices = n_care.astype(np.int64), n_slices.astype(np.float64)
    return ExpectedSlices(n_in, n_out, patch_block, n_care, n_slices, table, order)


def _binomial(n: int, p: float) -> tuple[Int64[np.ndarray, " ks"], Float64[np.ndarray, " ks"]]:
    """The values that a binomial takes but for chances under 1e-10, and their chances."""
    if p in (0, 1):
        return np.array([int(n * p)]), np.ones(1)
    k = np.arange(n + 1)
    chances = np.exp(math.log(2) * lg_choose(n) + k * math.log(p) + (n - k) * math.log1p(-p))
    likely = np.flatnonzero(chances > 1e-10)
    return k[likely], chances[likely] / chances[likely].sum()


@lru_cache(maxsize=1 << 14)
def _patch_chances(n_in: int, k: int, method: str) -> Float64[np.ndarray, " ds"]:
    """P(patches = d) of a slice with k care bits, by "greedy" or "minimum"."""
    fullest = min(n_in, k)
    lg_balls = np.logaddexp2.accumulate(lg_choose(k))
    more = np.zeros(k + 1)  # P(patches > d)
    for rank in range(fullest, -1, -1):
        r, chance = k - rank, _rank_chance(k, n_in, rank)
        if chance < 1e-12:
            break
        if r == 0:
            continue
        if method == "greedy":
            missed = np.zeros(k + 1)
            missed[:r] = 1 - np.cumsum(np.exp2(lg_choose(r) - r))[:r]
        else:
            # (1 - 2^-r)^V by logarithms, since V passes what a float holds.
            rate = -math.log1p(-(2.0**-r)) if r < 50 else 2.0**-r
            with np.errstate(over="ignore"):
                missed = np.exp(-np.exp2(np.minimum(lg_balls + math.log2(rate), 1000)))
            missed[r:] = 0
        more += chance * np.clip(missed, 0, 1)
    chances = -np.diff(more, prepend=1.0)
    last = int(np.flatnonzero(more > 1e-15).max(initial=-1)) + 1
    return chances[: last + 1]


def _rank_chance(k: int, n_in: int, rank: int) -> float:
    """P(k random rows of n_in bits have this rank)."""
    i = np.arange(rank)
    factors = np.log1p(-np.exp2(i - n_in)) + np.log1p(-np.exp2(i - k)) - np.log1p(-np.exp2(i - rank))
    return float(np.exp(factors.sum() - math.log(2) * (n_in - rank) * (k - rank)))
