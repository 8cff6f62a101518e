"""How much faster is `x @ W` from trained code words, without decoding, than with dense weights?

    python benchmarks/product.py
    python benchmarks/product.py --shape 9216 4096 --json product.json

For each length of a slice and each batch: the product by look-ups, the same weight decoded and multiplied, and `x @ w`
of the coded weight, which takes whichever its rule says. The peer is a dense weight, float32 on a CPU and bfloat16 on
an accelerator, x likewise. A round times each once, in turn; a ratio is a time over the peer's of the same round.

Floor: at batch 1 a dense product reads 4 (or 2) bytes a weight, look-ups 8 / n_out bits and a sum of 256 for each n_out
inputs; with larger batches the additions, one for n_out multiplications.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from xorjax.codec.trained import TrainedCode, count_groups
from xorjax.decoding.planes import DECODERS, PackedPlanes
from xorjax.decoding.trained import TrainedFormat
from xorjax.weights import CodedWeight

GOAL = 1.0
"""Of `x @ w` at .25 bits a weight and less."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=2, default=(4096, 4096), help="inputs, outputs")
    parser.add_argument("--n-out", type=int, nargs="+", default=(16, 32, 64, 128))
    parser.add_argument("--batch", type=int, nargs="+", default=(1, 8, 32, 256))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the ratios of `x @ w` there")
    arguments = parser.parse_args()

    on_cpu = jax.default_backend() == "cpu"
    dtype = jnp.float32 if on_cpu else jnp.bfloat16
    peer = f"dense {jnp.dtype(dtype).name}"
    size, rng, found = "x".join(map(str, arguments.shape)), np.random.default_rng(0), []
    print(
        f"{jax.devices()[0].device_kind}; jax {jax.__version__}; {size}; time / {peer}, median (least to most)"
    )
    print(f"{'':22s}{'look-ups':>22s}{'decoded':>22s}{'x @ w':>22s}   {peer}")
    dense = jnp.asarray(rng.standard_normal(arguments.shape), dtype)
    for n_out in arguments.n_out:
        weight = random_weight(tuple(arguments.shape), n_out, rng, dtype)
        for batch in arguments.batch:
            x = jnp.asarray(rng.standard_normal((batch, arguments.shape[0])), dtype)
            seconds = measure(x, weight, dense, arguments.rounds)
            of_peer = seconds.pop("dense")
            ratios = {name: own / of_peer for name, own in seconds.items()}
            texts = [f"{np.median(r):.2f} ({r.min():.2f} to {r.max():.2f})" for r in ratios.values()]
            name = f"n_out={n_out} batch={batch}"
            print(
                f"{name:22s}{''.join(f'{text:>22s}' for text in texts)}   {np.median(of_peer) * 1e3:.2f} ms"
            )
            used = ratios["x @ w"]
            found.append(
                {
                    "name": f"{size} {name}",
                    "peer": peer,
                    "ratio_min": float(used.min()),
                    "ratio_median": float(np.median(used)),
                    "ratio_max": float(used.max()),
                    "goal": GOAL if n_out >= 32 else None,
                }
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def random_weight(shape: tuple[int, int], n_out: int, rng: np.random.Generator, dtype) -> CodedWeight:
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


@jax.jit
def by_look_ups(x: jax.Array, weight: CodedWeight) -> jax.Array:
    return DECODERS["trained"].product(x, weight.planes, weight.mask, weight.scales)


@jax.jit
def decoded(x: jax.Array, weight: CodedWeight) -> jax.Array:
    return jnp.matmul(x, weight.to_array())


@jax.jit
def product(x: jax.Array, weight: CodedWeight | jax.Array) -> jax.Array:
    return x @ weight


def measure(x: jax.Array, weight: CodedWeight, dense: jax.Array, rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each, a round an entry."""
    runs = {
        "look-ups": lambda: by_look_ups(x, weight),
        "decoded": lambda: decoded(x, weight),
        "x @ w": lambda: product(x, weight),
        "dense": lambda: product(x, dense),
    }
    first = {name: np.asarray(run(), np.float32) for name, run in runs.items() if name != "dense"}
    for name, y in first.items():
        np.testing.assert_allclose(y, first["decoded"], rtol=0.1, atol=0.02 * np.abs(y).max(), err_msg=name)
    product(x, dense).block_until_ready()
    seconds = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run().block_until_ready()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(times) for name, times in seconds.items()}


if __name__ == "__main__":
    main()
