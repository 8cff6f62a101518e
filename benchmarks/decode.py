"""How much faster is decoding by table look-up than by AND and popcount, or by a float product modulo 2?

    python benchmarks/decode.py

All three are jitted, start from the same packed code words, and end in packed output words, without patches. Then the
look-up with the paper's patches, and the whole decoder down to a Bool plane, for each patch format (row-major slices)
and each slicing (format `care`), the mask given. Beside them the same kept signs packed without a code (`signs`), whose
decoder finds each by counting the kept weights before it. Last `x @ W` for one x, from these codes and from float
weights. A round times each once, in turn; a ratio is the median over rounds of a decoder's time over the look-up's. The
last columns are value bits/weight and the temporary memory of the compiled decoder.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from xorjax.codec.encoded import encode
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.plane import METHODS
from xorjax.codec.signs import SignsCode
from xorjax.codec.slicing import SLICINGS
from xorjax.decoding.planes import PackedPlanes, decode_planes, pack
from xorjax.decoding.words import one_width, read_fields
from xorjax.decoding.xor import decode_words
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.tables import CHUNK_BITS
from xorjax.masks import encode_mask
from xorjax.weights import CodedWeight

SIGNS = "plane, packed signs"
RATIOS = [
    (SIGNS, "plane, care, interleaved"),
    ("x @ W, care, interleaved", "x @ W, float32"),
    ("x @ W, packed signs", "x @ W, float32"),
]
"""Told in `--json` beside those over the look-up."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=2, default=(9216, 4096))
    parser.add_argument("--rate", type=float, default=0.91, help="prune rate")
    parser.add_argument("--n-in", type=int, default=20, help="at most 31")
    parser.add_argument("--n-out", type=int, default=200)
    parser.add_argument("--method", choices=METHODS, default="minimum")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the ratios there")
    arguments = parser.parse_args()

    net = XorNetwork.random(arguments.n_in, arguments.n_out, arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    shape = tuple(arguments.shape)
    bits, care = rng.random(shape) < 0.5, rng.random(shape) >= arguments.rate
    mask = jnp.asarray(care)
    encoded = encode(bits, care, net, arguments.method, "paper")
    packed = pack(encoded.planes, care)
    unpatched = replace(packed, format=replace(packed.format, n_patches=0))

    decoders = {
        "look-up": compiled(by_look_up, unpatched),
        "AND + popcount": compiled(by_popcount, unpatched, net.rows[:, 0].astype(np.uint32)),
        "float product mod 2": compiled(by_product, unpatched, net.matrix),
    }
    outputs = [np.asarray(decode()) for decode, _ in decoders.values()]
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])
    decoders["look-up, patches"] = compiled(by_look_up, packed)
    planes = {
        f"plane, {name}": replace(encoded, code=replace(encoded.code, patch_format=name))
        for name in PATCH_FORMATS
    }
    for slicing in SLICINGS[1:]:
        planes[f"plane, care, {slicing}"] = encode(
            bits, care, net, arguments.method, slicing=slicing, slicing_seed=arguments.seed
        )
    for name, plane in planes.items():
        decoders[name] = compiled(decode_planes, pack(plane.planes, care), mask)
        np.testing.assert_array_equal(np.asarray(decoders[name][0]())[0, care], bits[care])
    packed_signs = SignsCode().encode(bits[None], care)
    value_bits = {name: plane.bits_per_weight for name, plane in planes.items()}
    value_bits[SIGNS] = sum(packed_signs.bits.values()) / care.size
    decoders[SIGNS] = compiled(decode_planes, pack(packed_signs, care), mask)
    np.testing.assert_array_equal(np.asarray(decoders[SIGNS][0]())[0, care], bits[care])

    x = jnp.asarray(rng.standard_normal((1, shape[0])), jnp.float32)
    index, scale = encode_mask(care, "bitmap"), np.ones((1, 1, 1), np.float32)
    products = {
        "x @ W, care, interleaved": CodedWeight.of(
            planes["plane, care, interleaved"].planes, index, scale, False
        ),
        "x @ W, packed signs": CodedWeight.of(packed_signs, index, scale, False),
        "x @ W, float32": jnp.asarray(np.where(care, np.where(bits, 1, -1), 0), jnp.float32),
    }
    for name, weight in products.items():
        decoders[name] = compiled(matmul, x, weight)

    seconds = {name: [] for name in decoders}
    for _ in range(arguments.rounds):
        for name, (decode, _) in decoders.items():
            start = time.perf_counter()
            decode().block_until_ready()
            seconds[name].append(time.perf_counter() - start)

    print(
        f"{' x '.join(map(str, shape))}, S={arguments.rate}, n_in={net.n_in}, n_out={net.n_out}, "
        f"method={arguments.method}"
    )
    print(f"{jax.devices()[0].device_kind}; jax {jax.__version__}; table chunks of {CHUNK_BITS} bits at most")
    base = np.array(seconds["look-up"])
    for name, times in seconds.items():
        rate = np.prod(shape) / np.median(times) / 1e9
        ratio = np.median(np.array(times) / base)
        value = f"{value_bits[name]:.4f}" if name in value_bits else ""
        print(
            f"{name:26s} {np.median(times) * 1e3:8.2f} ms {rate:7.2f} billion weights/s  ratio {ratio:6.2f} "
            f"{value:>7s} {decoders[name][1] / 1e6:6.0f} MB"
        )
    if arguments.json:
        medians = {name: float(np.median(times)) for name, times in seconds.items()}
        pairs = [(name, "look-up") for name in medians if not name.startswith("x @ W")] + RATIOS
        rows = [{"what": own, "over": peer, "ratio": medians[own] / medians[peer]} for own, peer in pairs]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def compiled(decode: Callable[..., jax.Array], *arguments) -> tuple[Callable[[], jax.Array], int]:
    """`decode` on these arguments, and the bytes of its temporary memory."""
    program = jax.jit(decode).lower(*arguments).compile()
    memory = program.memory_analysis()
    return partial(program, *arguments), memory.temp_size_in_bytes if memory else 0


def matmul(x: jax.Array, weight: jax.Array | CodedWeight) -> jax.Array:
    return x @ weight


def by_look_up(packed: PackedPlanes) -> jax.Array:
    patches = {name: array[0] for name, array in packed.words["patches"].items()}
    return decode_words(packed.words["codes"][0], patches, packed.words["tables"], packed.format)


def code_words(packed: PackedPlanes) -> jax.Array:
    n_in, n_slices = packed.format.n_in, packed.format.n_slices
    begins = jnp.arange(n_slices, dtype=jnp.uint32) * n_in
    return read_fields(packed.words["codes"][0], begins, one_width(n_in))


def by_popcount(packed: PackedPlanes, rows: np.ndarray) -> jax.Array:
    common = code_words(packed)[:, None] & jnp.asarray(rows)[None, :]
    return pack_bits(jax.lax.population_count(common) & 1)


def by_product(packed: PackedPlanes, matrix: np.ndarray) -> jax.Array:
    shifts = jnp.arange(packed.format.n_in, dtype=jnp.uint32)[None, :]
    x = ((code_words(packed)[:, None] >> shifts) & 1).astype(jnp.float32)
    return pack_bits((x @ jnp.asarray(matrix).T.astype(jnp.float32)).astype(jnp.uint32) & 1)


def pack_bits(bits: jax.Array) -> jax.Array:
    padded = jnp.pad(bits, ((0, 0), (0, -bits.shape[1] % 32))).reshape(len(bits), -1, 32)
    return (padded << jnp.arange(32, dtype=jnp.uint32)[None, None, :]).sum(2, dtype=jnp.uint32)


if __name__ == "__main__":
    main()
