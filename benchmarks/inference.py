"""Whole models from a file: load time, first call, steady state and resident memory.

    python benchmarks/inference.py
    python benchmarks/inference.py --models lenet5 --json inference.json

lenet5 is that of zoo/: its files at S=.9 and .98, and FC1 in a trained code of slices of 32, projected from the file at
S=.9 (so of use for time alone). classifier has the sizes of AlexNet's, 9216-4096-4096-1000, and random code words: a
trained code of n_out 32, .25 bits a weight, and XOR-coded signs under exact masks at S=.9 and .98, without patches.

Peers hold the same layers as dense float32; as int8 with a scale an output; as SciPy's CSR, of the pruned layers, which
runs between two jitted parts. Of six ways to multiply by int8 the fastest are here: for one example tiles of inputs are
widened to float32, for more x is rounded to int8 too. Convolutions are widened.

Load: from the file to arrays on the device. First: the first call, compilation included. Then rounds time each form
once, in turn; a ratio is a time over dense float32's of the same round. Memory is the arrays that a model holds between
calls, and, apart, the most that a call allocates besides, by the compiler.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csr_array

from xorjax import load, save
from xorjax.codec.code import EncodedPlanes
from xorjax.codec.slicing import count_slices
from xorjax.codec.trained import TrainedCode, count_groups
from xorjax.codec.xor import XorCode
from xorjax.container import CompressedLayer, CompressedModel, decode_weights
from xorjax.masks import encode_mask
from xorjax.weights import conv, matmul

ZOO = Path(__file__).parents[1] / "zoo"
SIZES = 9216, 4096, 4096, 1000
TIME_GOAL, MEMORY_GOAL = 0.2, 1 / 30
"""Of the classifier in a trained code: at batch 1, and resident."""
TILES = 16

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Form:
    """One way to hold a model: its file, how that is read, and what runs it."""

    path: Path
    read: Callable[[Path], Params]
    run: Callable[[Params, jax.Array], Any]
    goals: bool = False


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Int8:
    """Weights / scales, rounded."""

    weights: Any
    scales: Any

    @property
    def ndim(self) -> int:
        return self.weights.ndim


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", nargs="+", choices=("lenet5", "classifier"), default=("lenet5", "classifier")
    )
    parser.add_argument("--batch", type=int, nargs="+", default=(1, 32))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", type=Path, help="write the ratios there")
    arguments = parser.parse_args()
    print(
        f"{jax.devices()[0].device_kind}; jax {jax.__version__}; time / dense float32: median (least to most)"
    )
    found, rng = [], np.random.default_rng(0)
    for name in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            made = {"lenet5": lenet_forms, "classifier": classifier_forms}[name](Path(folder), rng)
            sizes = (28, 28, 1) if name == "lenet5" else SIZES[:1]
            xs = [jnp.asarray(rng.standard_normal((batch, *sizes)), jnp.float32) for batch in arguments.batch]
            found += measure(name, made, xs, arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def measure(model: str, forms: dict[str, Form], xs: list[jax.Array], rounds: int) -> list[dict]:
    """Prints a row for each form and batch; gives the ratios."""
    found, params, loads = [], {}, {}
    jnp.zeros(1).block_until_ready()
    for name, each in forms.items():
        start = time.perf_counter()
        params[name] = jax.block_until_ready(each.read(each.path))
        loads[name] = time.perf_counter() - start
    dense = resident(params["dense float32"])
    for name, held in params.items():
        ratio, size = resident(held) / dense, forms[name].path.stat().st_size
        print(
            f"{model:11s}{name:16s}file {size / 1e6:9.3f} MB  loaded in {loads[name]:7.3f} s  "
            f"resident {resident(held) / 1e6:9.3f} MB, 1/{1 / ratio:.1f}"
        )
        goal = MEMORY_GOAL if forms[name].goals else None
        sizes = {"file_mb": size / 1e6, "load_s": loads[name], "resident_mb": resident(held) / 1e6}
        found.append(row(model, name, "resident memory", np.array([ratio]), goal) | sizes)
    for x in xs:
        firsts, seconds = {}, {name: [] for name in forms}
        for name, each in forms.items():
            start = time.perf_counter()
            jax.block_until_ready(each.run(params[name], x))
            firsts[name] = time.perf_counter() - start
        for _ in range(rounds):
            for name, each in forms.items():
                start = time.perf_counter()
                jax.block_until_ready(each.run(params[name], x))
                seconds[name].append(time.perf_counter() - start)
        for name, each in forms.items():
            ratios = np.array(seconds[name]) / np.array(seconds["dense float32"])
            print(
                f"{model:11s}{name:16s}batch {len(x):<4d} first {firsts[name]:6.3f} s  then "
                f"{np.median(seconds[name]) * 1e3:8.3f} ms  / dense {np.median(ratios):5.2f} ({ratios.min():.2f} to "
                f"{ratios.max():.2f}){temporary(each, params[name], x)}",
                flush=True,
            )
            goal = TIME_GOAL if each.goals and len(x) == 1 else None
            taken = {"first_s": firsts[name], "median_ms": float(np.median(seconds[name]) * 1e3)}
            found.append(row(model, name, f"batch={len(x)}", ratios, goal) | taken)
    return found


def row(model: str, weights: str, what: str, ratios: np.ndarray, goal: float | None) -> dict:
    return {
        "name": f"{model} {weights} {what}",
        "model": model,
        "weights": weights,
        "what": what,
        "peer": "dense float32",
        "ratio_min": float(ratios.min()),
        "ratio_median": float(np.median(ratios)),
        "ratio_max": float(ratios.max()),
        "goal": goal,
    }


def resident(params: Params) -> int:
    """Bytes of its arrays."""
    parts = [
        (leaf.data, leaf.indices, leaf.indptr) if isinstance(leaf, csr_array) else leaf
        for leaf in params.values()
    ]
    return sum(array.nbytes for array in jax.tree.leaves(parts))


def temporary(form: Form, params: Params, x: jax.Array) -> str:
    lower: Any = getattr(form.run, "lower", None)
    analysis = lower and lower(params, x).compile().memory_analysis()
    return f"  a call's own {analysis.temp_size_in_bytes / 1e6:.2f} MB" if analysis else ""


# The two models, with any weights.


def multiply(x: jax.Array, w: Any) -> jax.Array:
    if not isinstance(w, Int8):
        return matmul(x, w)
    if len(x) > 1:
        steps = jnp.abs(x).max(axis=1, keepdims=True) / 127
        rounded = jnp.round(x / jnp.maximum(steps, 1e-30)).astype(jnp.int8)
        y = jnp.matmul(rounded, w.weights, preferred_element_type=jnp.int32)
        return y.astype(jnp.float32) * steps * w.scales
    n = len(w.weights)
    tiles = TILES if n % TILES == 0 else 1
    by_tile = x.reshape(tiles, 1, n // tiles), w.weights.reshape(tiles, n // tiles, -1)

    def add(total: jax.Array, tile: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        return total + tile[0] @ tile[1].astype(jnp.float32), None

    empty = jnp.zeros((1, w.weights.shape[1]), jnp.float32)
    return jax.lax.scan(add, empty, by_tile)[0] * w.scales


def convolve(x: jax.Array, w: Any) -> jax.Array:
    return conv(x, w.weights.astype(jnp.float32) * w.scales if isinstance(w, Int8) else w)


def features(params: Params, x: jax.Array) -> jax.Array:
    for layer in ("conv1", "conv2"):
        x = convolve(x, params[f"{layer}/kernel"]) + params[f"{layer}/bias"]
        batch, height, width, channels = x.shape
        x = jax.nn.relu(x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4)))
    return x.reshape(len(x), -1)


def chain(params: Params, x: jax.Array) -> jax.Array:
    """The fully connected layers."""
    layers = sorted(
        path.removesuffix("/kernel") for path in params if path.startswith("fc") and "kernel" in path
    )
    for layer in layers:
        x = multiply(x, params[f"{layer}/kernel"]) + params[f"{layer}/bias"]
        x = x if layer == layers[-1] else jax.nn.relu(x)
    return x


run_classifier = jax.jit(chain)
run_lenet = jax.jit(lambda params, x: chain(params, features(params, x)))
jitted_features = jax.jit(features)


def by_csr(params: Params, x: jax.Array) -> np.ndarray:
    """SciPy's product where a weight is its matrix, of (outputs, inputs); NumPy's elsewhere."""
    y = np.asarray(x)
    layers = sorted(
        path.removesuffix("/kernel") for path in params if path.startswith("fc") and "kernel" in path
    )
    for layer in layers:
        kernel = params[f"{layer}/kernel"]
        y = (kernel @ y.T).T if isinstance(kernel, csr_array) else y @ kernel
        y = y + params[f"{layer}/bias"]
        y = y if layer == layers[-1] else np.maximum(y, 0)
    return y


def lenet_by_csr(params: Params, x: jax.Array) -> np.ndarray:
    convolutions = {path: value for path, value in params.items() if path.startswith("conv")}
    return by_csr(params, jitted_features(convolutions, x))


# Their files.


def lenet_forms(folder: Path, rng: np.random.Generator) -> dict[str, Form]:
    dense, forms = {}, {}
    for rate in ("0.9", "0.98"):
        path = ZOO / f"lenet5-mnist-S{rate}.safetensors"
        forms[f"coded S={rate}"] = Form(path, read_coded, run_lenet)
        dense[rate] = decoded(load(path))
        csr = Form(write_csr(folder / f"csr-{rate}.npz", dense[rate]), read_csr, lenet_by_csr)
        forms[f"CSR S={rate}"] = csr
    whole, code = load(ZOO / "lenet5-mnist-S0.9.safetensors"), TrainedCode(8, 32)
    values = code.encode(code.project(dense["0.9"]["fc1/kernel"])[None], None)
    layer = CompressedLayer("fc1/kernel", values, None, np.full((1, 1, 500), 0.02, np.float32))
    save(folder / "trained", replace(whole, layers={layer.name: layer}))
    forms["trained .25"] = Form(folder / "trained", read_coded, run_lenet)
    return dense_forms(folder, dense["0.9"], run_lenet) | forms


def classifier_forms(folder: Path, rng: np.random.Generator) -> dict[str, Form]:
    shapes = dict(zip(("fc1", "fc2", "fc3"), pairwise(SIZES), strict=True))
    params = {f"{name}/bias": np.zeros(shape[1], np.float32) for name, shape in shapes.items()}

    def write(
        path: Path, make: Callable[[str, tuple[int, int], np.random.Generator], CompressedLayer]
    ) -> Form:
        layers = (make(f"{name}/kernel", shape, rng) for name, shape in shapes.items())
        save(path, CompressedModel({layer.name: layer for layer in layers}, params, {}))
        return Form(path, read_coded, run_classifier)

    forms = {"trained .25": replace(write(folder / "trained", random_trained), goals=True)}
    for rate in (0.9, 0.98):
        coded = write(folder / f"searched-{rate}", partial(random_searched, rate=rate))
        forms[f"coded S={rate}"] = coded
        csr = write_csr(folder / f"csr-{rate}.npz", decoded(load(coded.path)))
        forms[f"CSR S={rate}"] = Form(csr, read_csr, by_csr)
    weights = {f"{name}/kernel": rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    return dense_forms(folder, params | weights, run_classifier) | forms


def random_trained(name: str, shape: tuple[int, int], rng: np.random.Generator) -> CompressedLayer:
    code = TrainedCode(8, 32)
    streams = {"0/codes": rng.integers(0, 256, count_groups(shape, code.n_out), np.uint8)}
    scales = rng.uniform(0.01, 0.02, (1, 1, shape[1])).astype(np.float32)
    return CompressedLayer(name, EncodedPlanes(code, shape, 1, streams), None, scales)


def random_searched(
    name: str, shape: tuple[int, int], rng: np.random.Generator, rate: float
) -> CompressedLayer:
    """Code words of 24 bits for as many kept weights in the mean, and no patch."""
    code = XorCode(n_in=24, n_out=round(24 / (1 - rate)), slicing="row_major", patch_format="paper")
    n_slices = count_slices(shape, round(24 / (1 - rate)), code.slicing)
    streams = {
        "0/codes": rng.integers(0, 256, 3 * n_slices, np.uint8),
        "0/patch_counts": np.zeros(1, np.uint8),
        "0/patch_positions": np.zeros(0, np.uint8),
    }
    drawn = EncodedPlanes(code, shape, 1, streams)
    values = replace(drawn, shared=drawn.drawn())
    index = encode_mask(rng.random(shape) >= rate, "ans_rc")
    scales = rng.uniform(0.01, 0.02, (1, 1, shape[1])).astype(np.float32)
    return CompressedLayer(name, values, index, scales)


def decoded(model: CompressedModel) -> dict[str, np.ndarray]:
    own = {path: np.asarray(value) for path, value in model.params.items()}
    return own | {name: decode_weights(layer) for name, layer in model.layers.items()}


def dense_forms(folder: Path, params: Params, run: Callable) -> dict[str, Form]:
    np.savez(folder / "dense.npz", **{path.replace("/", "."): value for path, value in params.items()})
    narrow = {}
    for path, value in params.items():
        if "kernel" not in path:
            narrow[path.replace("/", ".")] = value
            continue
        scales = np.abs(value).max(axis=tuple(range(value.ndim - 1)), keepdims=True) / 127
        scales = np.maximum(scales, 1e-30)
        narrow[path.replace("/", ".")] = np.round(value / scales).astype(np.int8)
        narrow[path.replace("/", ".") + ".scales"] = scales.reshape(-1).astype(np.float32)
    np.savez(folder / "int8.npz", **narrow)
    return {
        "dense float32": Form(folder / "dense.npz", read_dense, run),
        "dense int8": Form(folder / "int8.npz", read_dense, run),
    }


def write_csr(path: Path, params: Params) -> Path:
    held = {}
    for name, value in params.items():
        key = name.replace("/", ".")
        if "kernel" in name and np.count_nonzero(value) < value.size / 2:
            turned = csr_array(value.T)
            held |= {
                f"{key}.{part}": getattr(turned, part) for part in ("data", "indices", "indptr", "shape")
            }
        else:
            held[key] = value
    np.savez(path, **held)
    return path


def read_coded(path: Path) -> Params:
    model = load(path)
    return {name: jnp.asarray(value) for name, value in model.params.items()} | dict(model.weights)


def read_dense(path: Path) -> Params:
    held: dict[str, Any] = {key.replace(".", "/"): jnp.asarray(value) for key, value in np.load(path).items()}
    scales = {key: held.pop(key) for key in list(held) if key.endswith("/scales")}
    for key, of_weight in scales.items():
        name = key.removesuffix("/scales")
        held[name] = Int8(held[name], of_weight)
    return held


def read_csr(path: Path) -> Params:
    held, params = dict(np.load(path)), {}
    for key, value in held.items():
        name, _, part = key.rpartition(".")
        if part == "data":
            parts = value, held[f"{name}.indices"], held[f"{name}.indptr"]
            params[name.replace(".", "/")] = csr_array(parts, shape=tuple(held[f"{name}.shape"]))
        elif part not in ("indices", "indptr", "shape"):
            params[key.replace(".", "/")] = value
    return params


if __name__ == "__main__":
    main()
