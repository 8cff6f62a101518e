"""How much faster is the numba encoder than the galois one on a layer of AlexNet's FC5 size?

    python benchmarks/encode.py

The plane is synthetic and seeded: independent fair bits, each kept with probability 1 - rate. Each round encodes the
whole plane with numba and a fresh sample of its slices with galois, and compares the sample's code words and patches;
the ratio is galois's time a slice over numba's.
"""

import argparse
import platform
import time
from pathlib import Path

import numba
import numpy as np
from numba.np.ufunc.parallel import threading_layer

from xorjax.gf2 import elimination, oracle
from xorjax.gf2.network import XorNetwork


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=2, default=(9216, 4096))
    parser.add_argument("--rate", type=float, default=0.91, help="prune rate")
    parser.add_argument("--n-in", type=int, default=20)
    parser.add_argument("--n-out", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sample", type=int, default=40, help="slices that galois encodes in each round")
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    arguments = parser.parse_args()

    numba.set_num_threads(arguments.threads)
    net = XorNetwork.random(arguments.n_in, arguments.n_out, arguments.seed)
    n = int(np.prod(arguments.shape))
    rng = np.random.default_rng(arguments.seed)
    bits, care = rng.random(n) < 0.5, rng.random(n) >= arguments.rate
    n_slices = -(-n // net.n_out)
    sampled = net.n_out * arguments.sample
    warm = slice(0, sampled)  # compiles, and picks the threading layer
    elimination.encode_slices(bits[warm], care[warm], net)
    oracle.encode_slices(bits[warm], care[warm], net)
    print(f"{' x '.join(map(str, arguments.shape))}, S={arguments.rate}, n_in={net.n_in}, n_out={net.n_out}")
    print(f"{cpu()}; {arguments.threads} threads ({threading_layer()}); numba {numba.__version__}")

    seconds, ratios = [], []
    for _ in range(arguments.rounds):
        begin = int(rng.integers(n_slices - arguments.sample))
        window = slice(begin * net.n_out, begin * net.n_out + sampled)
        start = time.perf_counter()
        codes, n_patches, positions = elimination.encode_slices(bits, care, net)
        middle = time.perf_counter()
        sample = oracle.encode_slices(bits[window], care[window], net)
        end = time.perf_counter()
        first = n_patches[:begin].sum()
        count = n_patches[begin : begin + arguments.sample].sum()
        np.testing.assert_array_equal(sample[0], codes[begin : begin + arguments.sample])
        np.testing.assert_array_equal(sample[1], n_patches[begin : begin + arguments.sample])
        np.testing.assert_array_equal(sample[2], positions[first : first + count])
        seconds.append(middle - start)
        ratios.append((end - middle) / arguments.sample / ((middle - start) / n_slices))

    print(f"numba: {n / np.median(seconds) / 1e6:.0f} million weights/s (best {n / min(seconds) / 1e6:.0f})")
    print(f"galois: {np.median(ratios) * np.median(seconds) / n_slices * 1e3:.2f} ms a slice")
    print(f"ratio: {np.median(ratios):,.0f} (rounds {min(ratios):,.0f} to {max(ratios):,.0f})")


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return models[0].split(":")[1].strip() if models else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
