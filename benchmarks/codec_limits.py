"""How near the bound 1 - S do the value bits come, and are they what `codec.predict` says?

    python benchmarks/codec_limits.py                     the table of docs/results.md
    python benchmarks/codec_limits.py --weights 1000000 --seeds 1

Synthetic planes, seeded: independent fair bits, each kept with probability 1 - S. n_out is what `choose_n_out` gives
for the method and patch format. Bits are counted from the bytes that would be written, the mean of the seeds;
"spread" is the largest difference between two seeds. "not proven" counts slices, of all seeds, whose patches the
minimum method cannot prove to be the fewest. A thousand slices of every line are written, read back, decoded in jit
and compared.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numba
import numpy as np
from encode import cpu

from xorjax import decode
from xorjax.codec.encoded import encode
from xorjax.codec.predict import choose_n_out, predict_bits
from xorjax.gf2.network import XorNetwork
from xorjax.studies.synthetic import Measured, measure, random_plane

GOALS = {(0.9, 20): 0.1215, (0.9, 64): 0.1090, (0.9, 128): 0.1050, (0.91, 64): 0.0985}
"""Value bits per weight by S and n_in."""
SETTINGS = (("greedy", "paper"), ("minimum", "care"), ("minimum", "enumerative"))
PREDICTION_LIMIT = 0.02
CHECKED_SLICES = 1000


@dataclass(frozen=True)
class Row:
    """A line of the table: one S and n_in, one method and patch format, all seeds."""

    method: str
    patch_format: str
    predicted: float
    measured: list[Measured]

    @property
    def value_bits(self) -> float:
        return fmean(m.value_bits(self.patch_format) for m in self.measured)

    def cells(self) -> dict[str, object]:
        """For `--json`."""
        first, bits = self.measured[0], [m.value_bits(self.patch_format) for m in self.measured]
        sums = {name: sum(getattr(m, name) for m in self.measured) for name in ("n_bounded", "n_slices")}
        return {
            "prune_rate": first.prune_rate,
            "n_in": first.n_in,
            "method": self.method,
            "patch_format": self.patch_format,
            "n_out": first.n_out,
            "value_bits": self.value_bits,
            "spread": max(bits) - min(bits),
            "predicted": self.predicted,
            **sums,
            "goal": GOALS[first.prune_rate, first.n_in],
        }

    def __str__(self) -> str:
        first, bits = self.measured[0], [m.value_bits(self.patch_format) for m in self.measured]
        goal = GOALS[first.prune_rate, first.n_in]
        met = "" if self.method == "greedy" else "met" if self.value_bits <= goal else "missed"
        n_bounded, n_slices = (
            sum(getattr(m, name) for m in self.measured) for name in ("n_bounded", "n_slices")
        )
        off = self.predicted / self.value_bits - 1
        return " | ".join(
            (
                f"| {first.prune_rate:g}",
                f"{first.n_in}",
                f"{self.method}, {self.patch_format}",
                f"{first.n_out}",
                f"{self.value_bits:.5f}",
                f"{max(bits) - min(bits):.5f}",
                f"{self.predicted:.5f}",
                f"{off:+.2%}",
                f"{self.value_bits / (1 - first.prune_rate) - 1:.1%}",
                f"{fmean(m.patches_per_slice for m in self.measured):.3f}",
                f"{n_bounded} of {n_slices}" if self.method == "minimum" else "",
                f"{goal:.4f} {met} |",
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=int, default=20_000_000, help="of a plane")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the rows there")
    arguments = parser.parse_args()
    numba.set_num_threads(arguments.threads)
    print(f"{arguments.weights} weights, {arguments.seeds} seeds; {cpu()}, {arguments.threads} threads")
    print(
        "| S | n_in | method, format | n_out | value bits | spread | predicted | off | over 1 - S "
        "| patches a slice | not proven | goal |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    started, rows = time.perf_counter(), []
    for prune_rate, n_in in GOALS:
        for row in measure_rows(prune_rate, n_in, arguments.weights, range(arguments.seeds)):
            rows.append(row)
            print(row, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([row.cells() for row in rows], indent=1) + "\n")
    worst = max(abs(row.predicted / row.value_bits - 1) for row in rows)
    verdict = "within" if worst <= PREDICTION_LIMIT else "NOT within"
    print(f"prediction off by {worst:.2%} at most, {verdict} {PREDICTION_LIMIT:.0%}")
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes")


def measure_rows(prune_rate: float, n_in: int, n_weights: int, seeds: range) -> list[Row]:
    """A row for each of `SETTINGS`; those with one method and n_out share their encodings."""
    shapes: dict[tuple[str, int], list[str]] = {}
    for method, patch_format in SETTINGS:
        n_out = choose_n_out(n_in, prune_rate, method, patch_format, n_weights=n_weights)
        shapes.setdefault((method, n_out), []).append(patch_format)
    measured: dict[tuple[str, int], list[Measured]] = {shape: [] for shape in shapes}
    for seed in seeds:
        bits, care = random_plane(n_weights, prune_rate, seed)
        for (method, n_out), formats in shapes.items():
            measured[method, n_out].append(
                measure(bits, care, prune_rate, n_in, n_out, method, formats, seed)
            )
            if seed == seeds[0]:
                for patch_format in formats:
                    check(bits, care, n_in, n_out, method, patch_format, seed)
    return [
        Row(
            method,
            patch_format,
            sum(predict_bits(n_in, n_out, prune_rate, method, patch_format, n_weights=n_weights).values()),
            measured[method, n_out],
        )
        for (method, n_out), formats in shapes.items()
        for patch_format in formats
    ]


def check(bits, care, n_in: int, n_out: int, method: str, patch_format: str, seed: int) -> None:
    """The plane's first slices, written, read back and decoded in jit, equal the plane on every care bit."""
    begin = slice(0, CHECKED_SLICES * n_out)
    net = XorNetwork.random(n_in, n_out, seed)
    written = encode(bits[begin], care[begin], net, method, patch_format)
    read = written.code.decode(written.planes, care[begin])[0]
    np.testing.assert_array_equal(read[care[begin]], bits[begin][care[begin]])
    np.testing.assert_array_equal(np.asarray(decode(written)), read)


if __name__ == "__main__":
    main()
