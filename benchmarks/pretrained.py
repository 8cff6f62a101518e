"""A real pretrained network through `xorjax compress`, `verify` and `decompress`, and what is left of it.

    python scripts/get_weights.py minilm
    python benchmarks/pretrained.py
    python benchmarks/pretrained.py --prune-rates .3 .5 --planes 3 4
    python benchmarks/pretrained.py --prune-rates .3 .5 --planes 3 --scale tensor
    python benchmarks/pretrained.py --mask-codecs codebook --planes 1

The 36 matrices of MiniLM's encoder (10.6 million weights, torch's (out, in)) are compressed, the embeddings and all
else kept. Nothing is fine-tuned, so these are the errors of compression alone.

- weights: ||W - W'|| / ||W|| over all 36 matrices.
- outputs: ||X W - X W'|| / ||X W||, mean and worst over the matrices; X is what the uncompressed network multiplies the
  matrix with, for the benchmark's 40 sentences (`minilm.py`). The bias, which would hide some of it, is left out.
- cosine: between a sentence's embedding before and after all 36 are replaced; mean and least of 40. Two different
  sentences have .06 on average.
- found: sentences whose paraphrase is still the nearest other one.
- mask codec none: nothing pruned, no XOR code, the planes as they are: what the code has to be better than.
- pruned only: mean cosine and found with the same mask and the float weights, which is what binarizing has added to.

Time and memory are those of the process `xorjax compress`: numba and the start of Python are in them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from encode import cpu
from minilm import (
    MATRICES,
    N_LAYERS,
    QUICKSTART,
    QUICKSTART_SIMILARITIES,
    SENTENCES,
    Weights,
    embed,
    n_found,
    read_vocabulary,
    tokenize,
)
from safetensors.numpy import load_file

from xorjax.quantize.binarize import binarize
from xorjax.tiles import Weights as Part

NAMES = tuple(f"encoder.layer.{i}.{matrix}.weight" for i in range(N_LAYERS) for matrix in MATRICES)
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
LAYERS = ("--layers", "encoder.*.weight", "--skip", "*LayerNorm*")


@dataclass(frozen=True)
class Encoder:
    """The network as published, with what its matrices see and what it makes of the sentences."""

    weights: Weights
    tokens: Sequence[list[int]]
    inputs: dict[str, np.ndarray]
    embeddings: np.ndarray


@dataclass(frozen=True)
class Left:
    """What is left of the network: errors of weights and of each matrix's outputs, and the sentences."""

    weight_error: float
    output_errors: dict[str, float]
    cosines: np.ndarray
    n_found: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, default=Path(".cache/weights/minilm"), metavar="DIR")
    parser.add_argument("--prune-rates", type=float, nargs="+", default=(0.5, 0.7, 0.9))
    parser.add_argument("--planes", type=int, nargs="+", default=(1, 2))
    parser.add_argument("--mask-codecs", nargs="+", default=("ans_rc",))
    parser.add_argument("--n-in", type=int, default=64)
    parser.add_argument("--scale", choices=("row", "tensor"), default="row", help="what shares a scale")
    parser.add_argument("--index-bits", type=float, help="for an approximate mask codec, bits a weight")
    parser.add_argument("--json", type=Path, help="write the rows there")
    arguments = parser.parse_args()
    encoder = read_encoder(arguments.weights)
    n_weights = sum(encoder.weights[name].size for name in NAMES)
    others = (encoder.embeddings @ encoder.embeddings.T)[~np.eye(len(SENTENCES), dtype=bool)]
    print(
        f"{len(NAMES)} matrices, {n_weights} weights; {len(SENTENCES)} sentences, {sum(map(len, encoder.tokens))} "
        f"tokens; n_in={arguments.n_in}, a scale a {arguments.scale}; {cpu()}\n"
        f"as published: {n_found(encoder.embeddings)} found, mean cosine of two sentences {others.mean():.2f}"
    )
    nothing = {name: np.zeros_like(encoder.weights[name]) for name in NAMES}
    print(f"with zeros for the matrices: {summary(measure(encoder, nothing))}\n")
    print(
        "| mask codec | S | planes | code | patch | index | scale | bits/weight | ratio | weights | outputs | worst "
        "| cosine | least | found | pruned only | seconds | MB |\n" + "|---" * 18 + "|",
        flush=True,
    )
    rows = [measure_planes(encoder, n_planes, arguments.scale) for n_planes in arguments.planes]
    runs = list(product(arguments.mask_codecs, arguments.prune_rates, arguments.planes))
    left = {}
    for run in runs:
        left[run], row = run_once(encoder, *run, arguments)
        rows.append(row)
    print_by_matrix(left)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def read_encoder(folder: Path) -> Encoder:
    path, words = folder / "model.safetensors", folder / "vocab.txt"
    if not path.is_file() or not words.is_file():
        raise SystemExit(
            f"{folder} holds no model.safetensors and vocab.txt: run python scripts/get_weights.py minilm first"
        )
    weights, vocabulary = load_file(path), read_vocabulary(words)
    # The network and its tokens are right if they give the similarities that its authors print.
    known = np.stack([embed(weights, tokenize(sentence, vocabulary)) for sentence in QUICKSTART])
    similarities = (known @ known.T)[np.triu_indices(len(known), 1)]
    np.testing.assert_allclose(similarities, QUICKSTART_SIMILARITIES, atol=1e-4)
    tokens = [tokenize(sentence, vocabulary) for sentence in SENTENCES]
    inputs: dict[str, list[np.ndarray]] = {}
    embeddings = np.stack([embed(weights, ids, inputs) for ids in tokens])
    return Encoder(
        weights, tokens, {name: np.concatenate(parts) for name, parts in inputs.items()}, embeddings
    )


def run_once(
    encoder: Encoder, mask_codec: str, prune_rate: float, n_planes: int, arguments: argparse.Namespace
) -> tuple[Left, dict]:
    """What is left, and its row."""
    with tempfile.TemporaryDirectory() as folder:
        out, back = Path(folder) / "out.xorjax", Path(folder) / "back.safetensors"
        settings = ["--prune-rate", str(prune_rate), "--planes", str(n_planes), "--n-in", str(arguments.n_in)]
        settings += ["--scale", arguments.scale, "--mask-codec", mask_codec]
        if arguments.index_bits is not None:
            settings += ["--mask-option", f"index-bits={arguments.index_bits}"]
        source = arguments.weights / "model.safetensors"
        result, seconds, megabytes = command("compress", source, out, *LAYERS, *settings)
        planes = command("verify", out)[0]["planes"]
        assert len(planes) == len(NAMES) * n_planes, f"{len(planes)} planes verified"
        command("decompress", out, back)
        decoded = load_file(back)
    changed = {name for name, array in decoded.items() if not np.array_equal(array, encoder.weights[name])}
    assert changed == set(NAMES), f"compress changed {changed ^ set(NAMES)}"
    matrices = {name: decoded[name] for name in NAMES}
    left = measure(encoder, matrices)
    pruned = measure(
        encoder, {name: encoder.weights[name] * (matrix != 0) for name, matrix in matrices.items()}
    )
    total = result["totals"]
    kinds = ("n_code_bits", "n_patch_bits", "n_index_bits", "n_scale_bits")
    streams = [total[kind] / total["n_weights"] for kind in kinds]
    settings = {"mask_codec": mask_codec, "prune_rate": prune_rate, "n_planes": n_planes}
    return left, print_row(settings, streams, left, pruned, f"{seconds:.0f} | {megabytes:.0f}")


def measure_planes(encoder: Encoder, n_planes: int, scale: str) -> dict:
    """Nothing pruned and nothing encoded: what binarizing alone costs and does."""
    matrices, n_scales, n_weights = {}, 0, 0
    for name in NAMES:
        weights = encoder.weights[name]
        bits, scales = binarize(Part.of(name, weights), np.ones(weights.shape, np.bool_), n_planes, scale)
        matrices[name] = np.where(bits, scales, -scales).sum(axis=0)
        n_scales, n_weights = n_scales + scales.size, n_weights + weights.size
    streams = [n_planes, 0.0, 0.0, 32 * n_scales / n_weights]
    settings = {"mask_codec": "none", "prune_rate": 0.0, "n_planes": n_planes}
    whole = measure(encoder, {name: encoder.weights[name] for name in NAMES})
    return print_row(settings, streams, measure(encoder, matrices), whole, " |")


def print_row(settings: dict, streams: Sequence[float], left: Left, pruned: Left, run: str) -> dict:
    """Prints a row and gives it; `pruned` is the network that was pruned and nothing else."""
    errors, total = list(left.output_errors.values()), sum(streams)
    cells = [*settings.values(), *(f"{bits:.4f}" for bits in streams), f"{total:.4f}", f"{32 / total:.1f}"]
    cells += [f"{error:.3f}" for error in (left.weight_error, np.mean(errors), max(errors))]
    cells += [f"{left.cosines.mean():.3f}", f"{left.cosines.min():.3f}", left.n_found]
    cells += [f"{pruned.cosines.mean():.3f}, {pruned.n_found}", run]
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
    code, patch, index, scale = streams
    return {
        **settings,
        "value_bits": code + patch,
        "index_bits": index,
        "scale_bits": scale,
        "bits_per_weight": total,
        "weight_error": left.weight_error,
        "output_error": float(np.mean(errors)),
        "cosine": float(left.cosines.mean()),
        "found": left.n_found,
        "pruned_cosine": float(pruned.cosines.mean()),
        "pruned_found": pruned.n_found,
    }


def command(*arguments: str | Path) -> tuple[dict, float, float]:
    """What `xorjax` answers, how many seconds it took, and its peak memory in MB."""
    line = [sys.executable, "-m", "xorjax.cli", *map(str, arguments), "--json"]
    started = time.perf_counter()
    # A process counts the memory of the one that it was forked from, so it is forked from a small one.
    run = subprocess.run([sys.executable, "-c", MEASURED, *line], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if run.returncode != 0:
        raise SystemExit(f"xorjax {arguments[0]}: {run.stderr or run.stdout}")
    answer, peak = run.stdout.splitlines()
    # Kilobytes, but bytes on macOS.
    return json.loads(answer), seconds, int(peak) * (1 if sys.platform == "darwin" else 1024) / 1e6


def measure(encoder: Encoder, matrices: Weights) -> Left:
    square = total = 0.0
    output_errors = {}
    for name, matrix in matrices.items():
        weights, x = encoder.weights[name], encoder.inputs[name]
        square += float(np.linalg.norm(weights - matrix)) ** 2
        total += float(np.linalg.norm(weights)) ** 2
        difference = float(np.linalg.norm(x @ (weights - matrix).T))
        output_errors[name] = difference / float(np.linalg.norm(x @ weights.T))
    changed = {**encoder.weights, **matrices}
    embeddings = np.stack([embed(changed, ids) for ids in encoder.tokens])
    cosines = (embeddings * encoder.embeddings).sum(axis=1)
    return Left((square / total) ** 0.5, output_errors, cosines, n_found(embeddings))


def summary(left: Left) -> str:
    return f"cosine {left.cosines.mean():.2f}, {left.n_found} found"


def print_by_matrix(left: dict[tuple[str, float, int], Left]) -> None:
    """The error of the outputs for each kind of matrix, mean over the six layers."""
    print("\nerror of the outputs by matrix, mean of the six layers\n")
    print(f"| mask codec | S | planes | {' | '.join(MATRICES)} |\n" + "|---" * (3 + len(MATRICES)) + "|")
    for (mask_codec, prune_rate, n_planes), run in left.items():
        cells = (
            np.mean([run.output_errors[f"encoder.layer.{i}.{matrix}.weight"] for i in range(N_LAYERS)])
            for matrix in MATRICES
        )
        print(f"| {mask_codec} | {prune_rate:g} | {n_planes} | {' | '.join(f'{c:.3f}' for c in cells)} |")


if __name__ == "__main__":
    main()
