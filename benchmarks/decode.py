"""How much faster is decoding by table look-up than by AND and popcount, or by a float product modulo 2?

    python benchmarks/decode.py

All three are jitted, start from the same packed code words, and end in packed output words; patches are left out of
the comparison and timed apart, as is the whole decoder down to a Bool plane. A round times each once, in turn; a ratio
is the median over rounds of a peer's time over the look-up's.
"""

import argparse
import time
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from xorjax.codec.xor import encode
from xorjax.decode import lookup
from xorjax.gf2.network import XorNetwork


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=2, default=(9216, 4096))
    parser.add_argument("--rate", type=float, default=0.91, help="prune rate")
    parser.add_argument("--n-in", type=int, default=20, help="at most 31")
    parser.add_argument("--n-out", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()

    net = XorNetwork.random(arguments.n_in, arguments.n_out, arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    shape = tuple(arguments.shape)
    encoded = encode(rng.random(shape) < 0.5, rng.random(shape) >= arguments.rate, net)
    words, layout = lookup.pack_plane(encoded)
    unpatched = replace(layout, n_patches=0)
    tables = lookup.build_tables(net)

    decoders = {
        "look-up": partial(jax.jit(lookup.decode_words, static_argnums=2), words, tables, unpatched),
        "AND + popcount": partial(
            jax.jit(by_popcount, static_argnums=2), words, net.rows.astype(np.uint32), unpatched
        ),
        "float product mod 2": partial(jax.jit(by_product, static_argnums=2), words, net.matrix, unpatched),
        "look-up, patches": partial(jax.jit(lookup.decode_words, static_argnums=2), words, tables, layout),
        "look-up, patches, Bool plane": partial(lookup.decode_plane, words, tables, layout),
    }
    outputs = {name: np.asarray(decode()) for name, decode in decoders.items()}  # compiles
    for name in ("AND + popcount", "float product mod 2"):
        np.testing.assert_array_equal(outputs[name], outputs["look-up"])

    seconds = {name: [] for name in decoders}
    for _ in range(arguments.rounds):
        for name, decode in decoders.items():
            start = time.perf_counter()
            decode().block_until_ready()
            seconds[name].append(time.perf_counter() - start)

    print(f"{' x '.join(map(str, shape))}, S={arguments.rate}, n_in={net.n_in}, n_out={net.n_out}")
    print(
        f"{jax.devices()[0].device_kind}; jax {jax.__version__}; table chunks of {lookup.CHUNK_BITS} bits at most"
    )
    base = np.array(seconds["look-up"])
    for name, times in seconds.items():
        rate = np.prod(shape) / np.median(times) / 1e9
        ratio = np.median(np.array(times) / base)
        print(
            f"{name:30s} {np.median(times) * 1e3:8.2f} ms {rate:8.2f} billion weights/s  ratio {ratio:6.2f}"
        )


def code_words(words: lookup.PlaneWords, layout: lookup.PlaneLayout) -> jax.Array:
    begins = jnp.arange(layout.n_slices, dtype=jnp.uint32) * layout.n_in
    return lookup.read_fields(words.codes, begins, jnp.full(1, layout.n_in, dtype=jnp.uint32))


def by_popcount(words: lookup.PlaneWords, rows: np.ndarray, layout: lookup.PlaneLayout) -> jax.Array:
    common = code_words(words, layout)[:, None] & jnp.asarray(rows)[None, :]
    return pack(jax.lax.population_count(common) & 1)


def by_product(words: lookup.PlaneWords, matrix: np.ndarray, layout: lookup.PlaneLayout) -> jax.Array:
    shifts = jnp.arange(layout.n_in, dtype=jnp.uint32)[None, :]
    x = ((code_words(words, layout)[:, None] >> shifts) & 1).astype(jnp.float32)
    return pack((x @ jnp.asarray(matrix).T.astype(jnp.float32)).astype(jnp.uint32) & 1)


def pack(bits: jax.Array) -> jax.Array:
    padded = jnp.pad(bits, ((0, 0), (0, -bits.shape[1] % 32))).reshape(len(bits), -1, 32)
    return (padded << jnp.arange(32, dtype=jnp.uint32)[None, None, :]).sum(2, dtype=jnp.uint32)


if __name__ == "__main__":
    main()
