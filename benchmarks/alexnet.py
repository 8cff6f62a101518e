"""AlexNet's FC5 (9216x4096) and FC6 (4096x4096) at S = .91, 1 bit: index and value bits against the paper's .28.

    python benchmarks/alexnet.py                          masks: of magnitude pruning, a low-rank one, an XOR-coded one
    python benchmarks/alexnet.py --masks codebook         another approximate codec at the same cost
    python benchmarks/alexnet.py --shrink 8               a sixty-fourth of the weights
    python benchmarks/alexnet.py --weights .cache/weights/plants/model.safetensors --layers fc1.weight

The weights are synthetic, not AlexNet's, unless `--weights` names a checkpoint: independent standard Gaussians, seeded,
pruned by magnitude. So nothing is said here of accuracy, and a mask codec finds no rows, columns or blocks that matter
more than others, as it would in a trained layer. A trained layer of that size is what `python scripts/get_weights.py
plants` fetches. The low-rank mask has tiles of 68x68 and rank 6, which costs what the paper's .28 leaves beside the
values. "Kept score" is the magnitude that a mask keeps over what magnitude pruning keeps at the same rate; of
Gaussians, a mask drawn blindly would keep .379.

Values are encoded in interleaved slices, n_out chosen from the mask itself. Bits are counted from the streams as they
are written; each plane is decoded in jit and compared with the signs on every kept weight. Plain codes are decoded and
compared too. `--json FILE` keeps all of it.
"""

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numba
import numpy as np
from encode import cpu

from xorjax import XorNetwork, decode, encode
from xorjax.codec import CODES
from xorjax.codec.bounds import context_entropy, sign_entropy
from xorjax.codec.predict import choose_n_out
from xorjax.compression import open_checkpoint
from xorjax.masks import EncodedMask, encode_mask, fit_mask

LAYERS = {"FC5": (9216, 4096), "FC6": (4096, 4096)}
PRUNE_RATE = 0.91
SETTINGS = (("greedy", "paper"), ("minimum", "care"), ("minimum", "enumerative"))
MASKS = {
    "lowrank": {"rank": 6, "tile_rows": 68, "tile_columns": 68, "restarts": 1, "redraws": 0},
    "codebook": {"index_bits": 0.18},
    "xor": {"index_bits": 0.18},
}
GOALS = {"value bits": 0.0951, "total": 0.28}
COLUMNS = ("mask", "n_in", "method", "patch_format")


@dataclass(frozen=True)
class Row:
    """A layer, a mask and a code; bits are of the layer, not of a weight. Plain codes have no n_in.

    `seconds` are those of encoding the values, `mask_seconds` of choosing and encoding the mask, `kept_score`
    what the mask keeps of the magnitude, over what as many of the largest are.
    """

    layer: str
    n_weights: int
    mask: str
    n_in: int | None
    method: str
    patch_format: str
    n_out: int | None
    index_bits: int
    value_bits: int
    seconds: float
    mask_seconds: float
    kept_score: float = 1.0

    @property
    def code(self) -> tuple[str, int | None, str, str]:
        return self.mask, self.n_in, self.method, self.patch_format


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--masks", nargs="+", choices=("exact", *MASKS), default=("exact", "lowrank", "xor"))
    parser.add_argument("--n-in", type=int, nargs="+", default=(64, 128))
    parser.add_argument("--shrink", type=int, default=1, help="divides both sides of the layers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help="a safetensors checkpoint in place of Gaussians")
    parser.add_argument("--layers", nargs="+", help="its matrices")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    arguments = parser.parse_args()
    if (arguments.weights is None) != (arguments.layers is None):
        parser.error("--weights and --layers go together")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
    numba.set_num_threads(arguments.threads)
    what = "synthetic Gaussian weights" if arguments.weights is None else str(arguments.weights)
    print(f"{what}, S={PRUNE_RATE}; {cpu()}, {arguments.threads} threads\n")
    started, rows, structures = time.perf_counter(), [], []
    for layer, weights in matrices(arguments):
        of_layer, found = measure_layer(layer, weights, arguments)
        rows += of_layer
        structures.append({"layer": layer} | found)
    print_sums(rows)
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes")
    if arguments.json is not None:
        summary = {
            "what": what,
            "prune_rate": PRUNE_RATE,
            "shrink": arguments.shrink,
            "structure": structures,
            "sums": sums(rows),
            "rows": [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def matrices(arguments: argparse.Namespace) -> Iterable[tuple[str, np.ndarray]]:
    """The layers by name, one after the other."""
    if arguments.weights is None:
        for i, (layer, shape) in enumerate(LAYERS.items()):
            rng = np.random.default_rng([arguments.seed, i])
            yield (
                layer,
                rng.standard_normal(tuple(side // arguments.shrink for side in shape), np.float32),
            )
        return
    checkpoint = open_checkpoint(arguments.weights)
    for layer in arguments.layers:
        if layer not in checkpoint or len(checkpoint[layer].shape) != 2:
            found = ", ".join(name for name, tensor in checkpoint.items() if len(tensor.shape) == 2)
            raise SystemExit(f"{arguments.weights} has no matrix {layer!r}; it has {found}")
        rows, columns = (side // arguments.shrink for side in checkpoint[layer].shape)
        yield layer, np.asarray(checkpoint[layer].mapped(), np.float32)[:rows, :columns]


def measure_layer(layer: str, weights: np.ndarray, arguments: argparse.Namespace) -> tuple[list[Row], dict]:
    bits, scores = weights >= 0, np.abs(weights)
    largest = magnitude_mask(scores)
    best = scores[largest].sum(dtype=np.float64)
    rows = []
    print(f"{layer}, {weights.shape[0]} x {weights.shape[1]}")
    print_structure(found := structure(bits, largest))
    for name in arguments.masks:
        started = time.perf_counter()
        index = (
            encode_mask(largest, "ans_rc")
            if name == "exact"
            else fit_mask(scores, PRUNE_RATE, name, **MASKS[name])
        )
        seconds = time.perf_counter() - started
        share = scores[index.mask].sum(dtype=np.float64) / best
        print(
            f"  {name}: {index.bits_per_weight:.4f} index bits, prune rate {1 - index.mask.mean():.5f}, "
            f"kept score {share:.4f}, {seconds:.0f} s",
            flush=True,
        )
        own = [
            measure(layer, bits, name, index, seconds, n_in, method, patch_format)
            for n_in in arguments.n_in
            for method, patch_format in SETTINGS
        ]
        own += plain(layer, bits, name, index, seconds)
        rows += [replace(row, kept_score=share) for row in own]
    return rows, found


def magnitude_mask(scores: np.ndarray) -> np.ndarray:
    n_keep = scores.size - round(PRUNE_RATE * scores.size)
    mask = np.zeros(scores.size, bool)
    mask[np.argpartition(scores.ravel(), scores.size - n_keep)[scores.size - n_keep :]] = True
    return mask.reshape(scores.shape)


def structure(bits: np.ndarray, mask: np.ndarray) -> dict:
    """What sets a layer apart from a random one: how unequal its rows and columns are, and its signs.

    Standard deviations of the densities of rows and columns, each with that of independent weights; entropies of the
    kept signs in bits a kept weight, of all alike and in contexts; the share of pluses.
    """
    density = mask.mean()
    kept = mask.sum()
    return {
        "rows": float(mask.mean(axis=1).std()),
        "rows_by_chance": float(np.sqrt(density * (1 - density) / mask.shape[1])),
        "columns": float(mask.mean(axis=0).std()),
        "columns_by_chance": float(np.sqrt(density * (1 - density) / mask.shape[0])),
        "pluses": float(bits[mask].mean()),
        "sign_entropy": sign_entropy(bits[None], mask) * mask.size / kept,
        "context_entropy": context_entropy(bits[None], mask) * mask.size / kept,
    }


def print_structure(found: Mapping[str, float]) -> None:
    print(
        f"  magnitude mask: density of rows {1 - PRUNE_RATE:.2f} +- {found['rows']:.4f} (by chance "
        f"{found['rows_by_chance']:.4f}), of columns +- {found['columns']:.4f} ({found['columns_by_chance']:.4f}); "
        f"kept signs: {found['pluses']:.4f} plus, entropy {found['sign_entropy']:.4f}, in contexts "
        f"{found['context_entropy']:.4f} bits each",
        flush=True,
    )


def measure(
    layer: str,
    bits: np.ndarray,
    name: str,
    index: EncodedMask,
    mask_seconds: float,
    n_in: int,
    method: str,
    patch_format: str,
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
    index_bits = sum(index.nbits.values())
    return Row(
        layer,
        bits.size,
        name,
        n_in,
        method,
        patch_format,
        n_out,
        index_bits,
        value_bits,
        seconds,
        mask_seconds,
    )


def plain(layer: str, bits: np.ndarray, name: str, index: EncodedMask, mask_seconds: float) -> Iterable[Row]:
    """The codes that a sweep shows beside its points, behind this mask, in its own codec or the exact ones they name.

    An approximate mask costs least in its own codec, so that the others are left to the exact one.
    """
    codecs: dict[str | None, tuple[int, float]] = {
        index.codec: (sum(index.nbits.values()), mask_seconds),
        None: (0, 0.0),
    }
    for code in CODES.values():
        for codec in code.beside:
            if name != "exact" and (codec is None or codec != "ans_rc"):
                continue
            codec = codec if name == "exact" else index.codec
            if codec is not None and codec not in codecs:
                started = time.perf_counter()
                other = encode_mask(index.mask, codec)
                codecs[codec] = sum(other.nbits.values()), time.perf_counter() - started
                np.testing.assert_array_equal(other.mask, index.mask)
            started = time.perf_counter()
            mask = None if codec is None else index.mask
            encoded = code().encode(bits[None], mask)
            seconds = time.perf_counter() - started
            decoded = encoded.code.decode(encoded, mask)[0]
            np.testing.assert_array_equal(decoded[index.mask], bits[index.mask])
            index_bits, of_mask = codecs[codec]
            n_bits = sum(encoded.bits.values())
            shown = f"{name}, {codec}" if name == "exact" else name
            yield Row(
                layer,
                bits.size,
                shown,
                None,
                code.id,
                "",
                None,
                index_bits,
                n_bits,
                seconds,
                of_mask,
            )
            print(
                f"    {code.id}, mask {codec}: {index_bits / bits.size:.4f} index bits, {n_bits / bits.size:.5f} value "
                f"bits, {seconds:.0f} s",
                flush=True,
            )


def sums(rows: list[Row]) -> list[dict]:
    """All layers together, a line a code, bits a weight."""
    lines = []
    for code in dict.fromkeys(row.code for row in rows):
        own = [row for row in rows if row.code == code]
        n = sum(row.n_weights for row in own)
        index, values = sum(row.index_bits for row in own) / n, sum(row.value_bits for row in own) / n
        lines.append(
            dict(zip(COLUMNS, code, strict=True))
            | {
                "n_out": ", ".join(dict.fromkeys(str(row.n_out) for row in own)),
                "index_bits": index,
                "value_bits": values,
                "total": index + values,
                "kept_score": sum(row.n_weights * row.kept_score for row in own) / n,
                "seconds": sum(row.seconds for row in own),
                "mask_seconds": sum(row.mask_seconds for row in own),
            }
        )
    return lines


def print_sums(rows: list[Row]) -> None:
    """All layers together."""
    lines = sums(rows)
    print("\n| mask | n_in | method, format | n_out | index bits | value bits | total |")
    print("|---|---|---|---|---|---|---|")
    for line in lines:
        if line["n_in"] is not None:
            print(
                f"| {line['mask']} | {line['n_in']} | {line['method']}, {line['patch_format']} | {line['n_out']} "
                f"| {line['index_bits']:.4f} | {line['value_bits']:.5f} | {line['total']:.4f} |"
            )
    print("\n| plain code | mask | index bits | value bits | total | encode, s |\n|---|---|---|---|---|---|")
    for line in sorted(lines, key=lambda line: line["total"]):
        if line["n_in"] is None:
            print(
                f"| {line['method']} | {line['mask']} | {line['index_bits']:.4f} | {line['value_bits']:.5f} "
                f"| {line['total']:.4f} | {line['seconds']:.1f} |"
            )
    goals = ", ".join(f"{name} {goal}" for name, goal in GOALS.items())
    of_masks = {line["mask"]: line["mask_seconds"] for line in lines if line["n_in"] is not None}
    times = [line["seconds"] for line in lines if line["n_in"] is not None]
    print(f"\ngoals: {goals}; 1 - S = {1 - PRUNE_RATE:.2f}")
    print(
        f"encoding the values takes {min(times):.0f} to {max(times):.0f} s a code, masks "
        + ", ".join(f"{seconds:.0f} s ({mask})" for mask, seconds in of_masks.items())
    )
    # Another plane would have raised where it was decoded.
    print("every plane was decoded and is equal on all kept weights")


if __name__ == "__main__":
    main()
