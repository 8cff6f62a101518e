"""How much faster is `x @ W` from code, without decoding, than with dense weights?

    python benchmarks/product.py
    python benchmarks/product.py --shapes 9216x4096 --json product.json

Trained codes, for each length of a slice and each batch: the product by look-ups, the same weight decoded and
multiplied, and `x @ w` of the coded weight, which takes whichever its rule says. Searched codes under an exact mask,
for each prune rate and batch, on a CPU: `x @ w` of the weight held as lists, the XOR code decoded and multiplied,
SciPy's CSR and jax's BCSR. Code words and masks are random, and there are no patches.

The peer is a dense weight, float32 on a CPU and bfloat16 on an accelerator, x likewise. A round times each once, in
turn, and before each it reads 128 MB, so that none finds anything in a cache; a ratio is a time over the peer's of the
same round. Without --shapes and --batch an accelerator has one large weight, at batches of 1 and 16.

Floor: at batch 1 a dense product reads 4 (or 2) bytes a weight, look-ups 8 / n_out bits and a sum of 256 for each n_out
inputs; with larger batches the additions, one for n_out multiplications. Lists read 2 bytes a kept weight and add once.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCSR
from scipy.sparse import csr_array

from xorjax import XorNetwork
from xorjax.codec.trained import TrainedCode, count_groups
from xorjax.decoding.listed import list_kept
from xorjax.decoding.masks import PackedMask
from xorjax.decoding.planes import PackedPlanes, decode_planes
from xorjax.decoding.slices import XorFormat
from xorjax.decoding.trained import TrainedDecoder, TrainedFormat
from xorjax.decoding.xor import build_tables
from xorjax.gf2.pack import pack_bits
from xorjax.weights import CodedWeight

TRAINED_GOAL = 1.0
"""Of `x @ w` at .25 bits a weight and less, on a CPU."""
GPU_GOALS = {1: 0.25, 16: 0.55}
"""By batch, on an accelerator."""
SEARCHED_GOAL = 0.9
"""Of `x @ w` at batch 1 and 32."""

Runs = dict[str, Callable[[], Any]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", help="inputs x outputs")
    parser.add_argument("--n-out", type=int, nargs="*", default=(16, 32, 64, 128), help="of trained codes")
    parser.add_argument("--prune-rate", type=float, nargs="*", default=(0.9, 0.98), help="of searched codes")
    parser.add_argument("--batch", type=int, nargs="+")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the ratios there")
    arguments = parser.parse_args()

    on_cpu = jax.default_backend() == "cpu"
    dtype = jnp.float32 if on_cpu else jnp.bfloat16
    arguments.shapes = arguments.shapes or (("4096x4096", "9216x4096") if on_cpu else ("16384x16384",))
    arguments.batch = arguments.batch or ((1, 8, 32, 256) if on_cpu else (1, 16))
    print(
        f"{jax.devices()[0].device_kind}; jax {jax.__version__}; time / dense {jnp.dtype(dtype).name}, "
        "median (least to most)"
    )
    found = [row for size in arguments.shapes for row in measure_shape(size, dtype, arguments)]
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def measure_shape(size: str, dtype, arguments: argparse.Namespace) -> Iterator[dict]:
    """All weights of a size, such as "4096x4096"."""
    n_inputs, n_outputs = map(int, size.split("x"))
    shape, rng = (n_inputs, n_outputs), np.random.default_rng(0)
    dense = jnp.asarray(rng.standard_normal(shape), dtype)
    xs = [jnp.asarray(rng.standard_normal((batch, shape[0])), dtype) for batch in arguments.batch]
    for n_out in arguments.n_out:
        weight = random_trained(shape, n_out, rng, dtype)
        for x in xs:
            of_batch = TRAINED_GOAL if jax.default_backend() == "cpu" else GPU_GOALS.get(len(x))
            goal = of_batch if n_out >= 32 else None
            about = {"shape": size, "n_out": n_out, "batch": len(x)}
            looks_up = TrainedDecoder.pays(x.shape, weight.planes, weight.mask, weight.scales)
            print(f"{'look-ups' if looks_up else 'decodes'}: ", end="")
            runs = of_trained(x, weight) | {"dense": partial(product, x, dense)}
            yield from measure(about, runs, goal, arguments.rounds)
    for rate in arguments.prune_rate if jax.default_backend() == "cpu" else ():
        pruned = Pruned(shape, rate, rng)
        print(
            f"S={rate}: {8 * pruned.listed.nbytes / dense.size:.2f} bits/weight in memory as lists, "
            f"{8 * pruned.coded.nbytes / dense.size:.2f} as code and bitmap"
        )
        for x in xs:
            goal = SEARCHED_GOAL if len(x) in (1, 32) else None
            about = {"shape": size, "prune_rate": rate, "batch": len(x)}
            runs = of_pruned(x, pruned) | {"dense": partial(product, x, dense)}
            yield from measure(about, runs, goal, arguments.rounds)


def random_trained(shape: tuple[int, int], n_out: int, rng: np.random.Generator, dtype) -> CodedWeight:
    """Random code words of 8 bits and a scale for each output."""
    code = TrainedCode(8, n_out)
    words = {
        "codes": jnp.asarray(
            rng.integers(0, 256, (1, count_groups(shape, n_out) // shape[1], shape[1]), np.uint8)
        ),
        "vectors": jnp.asarray(code.vectors),
    }
    planes = PackedPlanes(words, "trained", shape, 1, TrainedFormat(8, n_out))
    return CodedWeight(planes, None, jnp.asarray(rng.uniform(0.5, 2, (1, 1, shape[1])), dtype))


class Pruned:
    """A random mask, and random code words of 20 bits for slices with as many kept weights in the mean."""

    def __init__(self, shape: tuple[int, int], rate: float, rng: np.random.Generator):
        mask, n_out = rng.random(shape) >= rate, int(20 / (1 - rate))
        n_slices = -(-mask.size // n_out)
        words = {
            "codes": jnp.asarray(rng.integers(0, 1 << 32, (1, n_slices * 20 // 32 + 2), np.uint32)),
            "patches": {},
            "tables": build_tables(XorNetwork.random(20, n_out)),
        }
        format = XorFormat(20, n_out, n_slices, 0, "paper", 0, "row_major", 0)
        planes = PackedPlanes(words, "xor", shape, 1, format)
        bitmap = PackedMask(jnp.asarray(pack_bits(mask.ravel())), "bitmap", shape, None)
        scales = rng.uniform(0.5, 2, (1, 1, shape[1])).astype(np.float32)
        self.coded = CodedWeight(planes, bitmap, jnp.asarray(scales))
        bits = np.asarray(decode_planes(planes))
        lists = PackedPlanes(list_kept(bits, mask), "listed", shape, 1, None)
        self.listed = CodedWeight(lists, None, jnp.asarray(scales))
        # Outputs are rows, so that both libraries multiply as they do best.
        self.csr = csr_array(np.where(mask, np.where(bits[0], scales[0], -scales[0]), 0).T)
        self.bcsr = BCSR.from_scipy_sparse(self.csr)


def of_trained(x: jax.Array, weight: CodedWeight) -> Runs:
    return {
        "decoded": partial(decoded, x, weight),
        "look-ups": partial(by_look_ups, x, weight),
        "x @ w": partial(product, x, weight),
    }


def of_pruned(x: jax.Array, pruned: Pruned) -> Runs:
    turned = np.ascontiguousarray(np.asarray(x).T)
    return {
        "decoded": partial(decoded, x, pruned.coded),
        "x @ w": partial(product, x, pruned.listed),
        "scipy CSR": lambda: (pruned.csr @ turned).T,
        "jax BCSR": partial(by_bcsr, pruned.bcsr, x),
    }


@jax.jit
def by_look_ups(x: jax.Array, weight: CodedWeight) -> jax.Array:
    return TrainedDecoder.product(x, weight.planes, weight.mask, weight.scales)


@jax.jit
def decoded(x: jax.Array, weight: CodedWeight) -> jax.Array:
    return jnp.matmul(x, weight.to_array())


@jax.jit
def product(x: jax.Array, weight: CodedWeight | jax.Array) -> jax.Array:
    return x @ weight


@jax.jit
def by_bcsr(weight: BCSR, x: jax.Array) -> jax.Array:
    return (weight @ x.T).T


def measure(about: dict[str, object], runs: Runs, goal: float | None, rounds: int) -> Iterator[dict]:
    """Prints a row of ratios, and gives them."""
    seconds = take_times(runs, rounds)
    of_peer = seconds.pop("dense")
    shape, *others = about.items()
    name = " ".join((str(shape[1]), *(f"{key}={value}" for key, value in others))).replace("prune_rate", "S")
    text = f"{name:30s}"
    for own, times in seconds.items():
        ratios = times / of_peer
        text += f"  {own} {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
        yield {
            "name": name if own == "x @ w" else f"{name} {own}",
            **about,
            "way": own,
            "peer": "dense float32" if jax.default_backend() == "cpu" else "dense bfloat16",
            "ratio_min": float(ratios.min()),
            "ratio_median": float(np.median(ratios)),
            "ratio_max": float(ratios.max()),
            "goal": goal if own == "x @ w" else None,
        }
    print(f"{text}  dense {np.median(of_peer) * 1e3:.2f} ms", flush=True)


def take_times(runs: Runs, rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each, a round an entry."""
    first = {name: np.asarray(run(), np.float32) for name, run in runs.items()}
    for name, y in first.items():
        if name != "dense":
            near = {"rtol": 0.1, "atol": 0.02 * np.abs(y).max()}
            np.testing.assert_allclose(y, first["decoded"], err_msg=name, **near)
    seconds, others = {name: [] for name in runs}, jnp.zeros(1 << 25, jnp.float32)
    for _ in range(rounds):
        for name, run in runs.items():
            jax.block_until_ready(total(others))
            start = time.perf_counter()
            jax.block_until_ready(run())
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(times) for name, times in seconds.items()}


@jax.jit
def total(values: jax.Array) -> jax.Array:
    return values.sum()


if __name__ == "__main__":
    main()
