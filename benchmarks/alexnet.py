"""AlexNet's FC5 (9216x4096) and FC6 (4096x4096) at S = .91, 1 bit: index and value bits against the paper's .28.

    python benchmarks/alexnet.py                          the mask of magnitude pruning, and a low-rank one
    python benchmarks/alexnet.py --masks codebook         another approximate codec at the same cost
    python benchmarks/alexnet.py --shrink 8               a sixty-fourth of the weights

The weights are synthetic, not AlexNet's: independent standard Gaussians, seeded. So nothing is said here of accuracy,
and a mask codec finds no rows, columns or blocks that matter more than others, as it would in a trained layer. The
low-rank mask has tiles of 68x68 and rank 6, which costs what the paper's .28 leaves beside the values. "Kept
score" is the magnitude that a mask keeps over what magnitude pruning keeps at the same rate; a mask drawn blindly
would keep .379.

Values are encoded in interleaved slices, n_out chosen from the mask itself. Bits are counted from the streams as they
are written; each plane is decoded in jit and compared with the signs on every kept weight.
"""

import argparse
import time
from dataclasses import dataclass

import numba
import numpy as np
from encode import cpu

from xorjax import XorNetwork, decode, encode
from xorjax.codec.predict import choose_n_out
from xorjax.masks import EncodedMask, encode_mask, fit_mask

LAYERS = {"FC5": (9216, 4096), "FC6": (4096, 4096)}
PRUNE_RATE = 0.91
SETTINGS = (("greedy", "paper"), ("minimum", "care"), ("minimum", "enumerative"))
MASKS = {
    "lowrank": {"rank": 6, "tile_rows": 68, "tile_columns": 68, "restarts": 1, "redraws": 0},
    "codebook": {"index_bits": 0.18},
    "xor": {"index_bits": 0.18},
}
GOALS = {"value bits": 0.0985, "total": 0.28}


@dataclass(frozen=True)
class Row:
    """A layer, a mask and a code; bits are of the layer, not of a weight."""

    n_weights: int
    mask: str
    index_bits: int
    n_in: int
    method: str
    patch_format: str
    n_out: int
    value_bits: int

    @property
    def code(self) -> tuple[str, int, str, str]:
        return self.mask, self.n_in, self.method, self.patch_format


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--masks", nargs="+", choices=("exact", *MASKS), default=("exact", "lowrank"))
    parser.add_argument("--n-in", type=int, nargs="+", default=(64, 128))
    parser.add_argument("--shrink", type=int, default=1, help="divides both sides of the layers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    arguments = parser.parse_args()
    numba.set_num_threads(arguments.threads)
    print(f"synthetic Gaussian weights, S={PRUNE_RATE}; {cpu()}, {arguments.threads} threads\n")
    started, rows = time.perf_counter(), []
    for i, (layer, shape) in enumerate(LAYERS.items()):
        rows += measure_layer(layer, tuple(side // arguments.shrink for side in shape), i, arguments)
    print_sums(rows)
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes")


def measure_layer(
    layer: str, shape: tuple[int, ...], number: int, arguments: argparse.Namespace
) -> list[Row]:
    rng = np.random.default_rng([arguments.seed, number])
    weights = rng.standard_normal(shape, np.float32)
    bits, scores = weights >= 0, np.abs(weights)
    largest = magnitude_mask(scores)
    best = scores[largest].sum(dtype=np.float64)
    rows = []
    print(f"{layer}, {shape[0]} x {shape[1]}")
    for name in arguments.masks:
        started = time.perf_counter()
        index = (
            encode_mask(largest, "ans_rc")
            if name == "exact"
            else fit_mask(scores, PRUNE_RATE, name, **MASKS[name])
        )
        share = scores[index.mask].sum(dtype=np.float64) / best
        print(
            f"  {name}: {index.bits_per_weight:.4f} index bits, prune rate {1 - index.mask.mean():.5f}, "
            f"kept score {share:.4f}, {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        for n_in in arguments.n_in:
            for method, patch_format in SETTINGS:
                rows.append(measure(bits, name, index, n_in, method, patch_format))
    return rows


def magnitude_mask(scores: np.ndarray) -> np.ndarray:
    n_keep = scores.size - round(PRUNE_RATE * scores.size)
    mask = np.zeros(scores.size, bool)
    mask[np.argpartition(scores.ravel(), scores.size - n_keep)[scores.size - n_keep :]] = True
    return mask.reshape(scores.shape)


def measure(
    bits: np.ndarray, name: str, index: EncodedMask, n_in: int, method: str, patch_format: str
) -> Row:
    mask = index.mask
    n_out = choose_n_out(n_in, mask, method, patch_format, slicing="interleaved")
    started = time.perf_counter()
    encoded = encode(bits, mask, XorNetwork.random(n_in, n_out), method, patch_format, slicing="interleaved")
    value_bits = sum(encoded.nbits.values())
    seconds = time.perf_counter() - started
    np.testing.assert_array_equal(np.asarray(decode(encoded))[mask], bits[mask])
    print(
        f"    n_in={n_in} {method}, {patch_format}: n_out={n_out}, {value_bits / bits.size:.5f} value bits, "
        f"{encoded.n_patches.mean():.3f} patches a slice, {encoded.n_bounded} of {len(encoded.codes)} not proven, "
        f"{seconds:.0f} s",
        flush=True,
    )
    return Row(
        bits.size,
        name,
        sum(index.nbits.values()),
        n_in,
        method,
        patch_format,
        n_out,
        value_bits,
    )


def print_sums(rows: list[Row]) -> None:
    """Both layers together."""
    print("\n| mask | n_in | method, format | n_out | index bits | value bits | total |")
    print("|---|---|---|---|---|---|---|")
    for code in dict.fromkeys(row.code for row in rows):
        own = [row for row in rows if row.code == code]
        n = sum(row.n_weights for row in own)
        index, values = sum(row.index_bits for row in own) / n, sum(row.value_bits for row in own) / n
        n_outs = ", ".join(dict.fromkeys(str(row.n_out) for row in own))
        mask, n_in, method, patch_format = code
        print(
            f"| {mask} | {n_in} | {method}, {patch_format} | {n_outs} | {index:.4f} | {values:.5f} "
            f"| {index + values:.4f} |"
        )
    goals = ", ".join(f"{name} {goal}" for name, goal in GOALS.items())
    print(f"goals: {goals}; 1 - S = {1 - PRUNE_RATE:.2f}")


if __name__ == "__main__":
    main()
