"""How much of the score does each mask codec keep, for how many index bits, at equal prune rates?

    python benchmarks/masks.py

The weights are FC1's of LeNet-5 (800x500), real ones from the runs of this project: the dense network's magnitudes
and, with --pruned, those of a level of iterative pruning. The share is the score kept over what exact magnitude
pruning keeps at the same prune rate, so that the exact codecs have 1. H(S) is what independent positions cost.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from xorjax.masks import EXACT_CODECS, encode_mask, fit_mask


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--layer", default="fc1/kernel")
    parser.add_argument("--seed", type=int, default=0, help="of the network that was trained")
    parser.add_argument("--pruned", type=float, help="prune rate of the level, instead of the dense network")
    parser.add_argument("--rates", type=float, nargs="+", default=(0.9, 0.95, 0.98))
    parser.add_argument(
        "--index-bits", type=float, nargs="+", help="instead of .5, 1 and 1.5 times a default"
    )
    parser.add_argument("--n-in", type=int, default=12, help="of codebook and xor")
    parser.add_argument("--step", type=int, default=3)
    parser.add_argument("--beam", type=int, default=256, help="for n_in above 16")
    parser.add_argument("--json", type=Path, help="write the approximate codecs' rows there")
    arguments = parser.parse_args()

    path = find(arguments.runs, arguments.seed, arguments.pruned)
    weights = load_file(path)[f"params/{arguments.layer}"]
    scores = np.abs(weights).astype(np.float32)
    print(f"{path.parent.name}, {arguments.layer}, {' x '.join(map(str, scores.shape))}")
    block = {"n_in": arguments.n_in, "step": arguments.step}
    apart = {"n_in": arguments.n_in, "step": arguments.n_in, "row_groups": 8}
    settings = [
        ("lowrank", "thresholded factorization", {"restarts": 0}),
        ("lowrank", "local search", {}),
        ("codebook", "blocks apart", apart),
        ("codebook", "windows overlap", block),
        ("xor", "windows overlap", block | {"beam": arguments.beam}),
    ]
    found = []
    for rate in arguments.rates:
        n_keep = scores.size - round(rate * scores.size)
        largest = np.argsort(-scores.ravel(), kind="stable")[:n_keep]
        exact = np.zeros(scores.size, dtype=bool)
        exact[largest] = True
        best = scores.ravel()[largest].sum(dtype=np.float64)
        entropy = -sum(p * np.log2(p) for p in (rate, 1 - rate))
        print(f"\nS={rate}: H(S) = {entropy:.4f} bits/weight")
        print(
            f"  {'codec':9} {'method':26} {'bits':>7} {'of H(S)':>7} {'share':>6} {'rate':>7} {'seconds':>7}"
        )
        for codec in EXACT_CODECS:
            started = time.perf_counter()
            encoded = encode_mask(exact.reshape(scores.shape), codec)
            row(encoded, "exact", best, scores, entropy, time.perf_counter() - started)
        targets = arguments.index_bits or [part * entropy for part in (0.15, 0.25, 0.6)]
        for target in targets:
            for codec, method, chosen in settings:
                started = time.perf_counter()
                encoded = fit_mask(scores, rate, codec, index_bits=target, **chosen)
                share = row(encoded, method, best, scores, entropy, time.perf_counter() - started)
                found.append(
                    {
                        "prune_rate": rate,
                        "codec": codec,
                        "method": method,
                        "of_entropy": round(target / entropy, 6),
                        "index_bits": encoded.bits_per_weight,
                        "kept_score": share,
                    }
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def find(runs: Path, seed: int, pruned: float | None) -> Path:
    pattern = f"dense/lenet5-*seed{seed}-*" if pruned is None else f"prune/lenet5-*seed{seed}-S{pruned:g}-*"
    found = sorted(runs.glob(f"{pattern}/arrays.safetensors"))
    if not found:
        raise SystemExit(f"no {pattern} in {runs}: run python scripts/train.py first")
    return found[0]


def row(encoded, method: str, best: float, scores: np.ndarray, entropy: float, seconds: float) -> float:
    """Prints one; gives the share of the magnitude that it keeps."""
    mask, bits = encoded.mask, encoded.bits_per_weight
    share = scores[mask].sum(dtype=np.float64) / best
    print(
        f"  {encoded.codec:9} {method:26} {bits:7.4f} {bits / entropy:7.2f} {share:6.4f} {1 - mask.mean():7.5f} "
        f"{seconds:7.1f}",
        flush=True,
    )
    return share


if __name__ == "__main__":
    main()
