"""How fast are the encoders, on a layer of AlexNet's FC5 size?

    python benchmarks/encode.py                          greedy and minimum, n_in = 20
    python benchmarks/encode.py --n-in 64 --n-out 672 --rate .9
    python benchmarks/encode.py --n-in 128 --n-out 1312 --rate .9 --shape 4096 4096 --rounds 3

The plane is synthetic and seeded: independent fair bits, each kept with probability 1 - rate. Each round encodes the
whole plane with both numba encoders, first one and then the other in turn, and a fresh sample of its slices with
galois (greedy), and compares the sample's code words and patches. The ratios are of times in one round: galois's a
slice over greedy's, and greedy's over minimum's.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numba
import numpy as np
from numba.np.ufunc.parallel import threading_layer

from xorjax.gf2 import elimination, minimum, oracle
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
    parser.add_argument("--json", type=Path, help="write rates and ratios there")
    arguments = parser.parse_args()

    numba.set_num_threads(arguments.threads)
    net = XorNetwork.random(arguments.n_in, arguments.n_out, arguments.seed)
    n = int(np.prod(arguments.shape))
    rng = np.random.default_rng(arguments.seed)
    bits, care = rng.random(n) < 0.5, rng.random(n) >= arguments.rate
    n_slices = -(-n // net.n_out)
    sampled = net.n_out * arguments.sample
    warm = slice(0, sampled)  # compiles, and picks the threading layer
    for encoder in (elimination, minimum, oracle):
        encoder.encode_slices(bits[warm], care[warm], net)
    print(f"{' x '.join(map(str, arguments.shape))}, S={arguments.rate}, n_in={net.n_in}, n_out={net.n_out}")
    print(f"{cpu()}; {arguments.threads} threads ({threading_layer()}); numba {numba.__version__}")

    seconds = {elimination: [], minimum: [], oracle: []}
    answers = {}
    for turn in range(arguments.rounds):
        for encoder in (elimination, minimum) if turn % 2 == 0 else (minimum, elimination):
            start = time.perf_counter()
            answers[encoder] = encoder.encode_slices(bits, care, net)
            seconds[encoder].append(time.perf_counter() - start)
        begin = int(rng.integers(n_slices - arguments.sample))
        window = slice(begin * net.n_out, begin * net.n_out + sampled)
        start = time.perf_counter()
        sample = oracle.encode_slices(bits[window], care[window], net)
        seconds[oracle].append((time.perf_counter() - start) * n_slices / arguments.sample)
        codes, n_patches, positions = answers[elimination]
        first = n_patches[:begin].sum()
        count = n_patches[begin : begin + arguments.sample].sum()
        np.testing.assert_array_equal(sample[0], codes[begin : begin + arguments.sample])
        np.testing.assert_array_equal(sample[1], n_patches[begin : begin + arguments.sample])
        np.testing.assert_array_equal(sample[2], positions[first : first + count])

    found = []
    for name, encoder in (("greedy", elimination), ("minimum", minimum)):
        rate, best = n / np.median(seconds[encoder]) / 1e6, n / min(seconds[encoder]) / 1e6
        found.append({"what": f"{name}, weights/s", "median": rate * 1e6, "least": None, "most": best * 1e6})
        print(
            f"{name}: {rate:.0f} million weights/s (best {best:.0f}), {answers[encoder][1].mean():.3f} patches a slice"
        )
    print(f"minimum: {answers[minimum][3]} of {n_slices} slices not proven")
    print(f"galois: {np.median(seconds[oracle]) / n_slices * 1e3:.2f} ms a slice")
    for name, slow, fast in (
        ("galois / greedy", oracle, elimination),
        ("greedy / minimum", elimination, minimum),
    ):
        ratios = np.divide(seconds[slow], seconds[fast])
        low, middle, high = (
            np.format_float_positional(r, precision=3, fractional=False)
            for r in (ratios.min(), np.median(ratios), ratios.max())
        )
        print(f"{name}, times: {middle} (rounds {low} to {high})")
        ends = {"least": ratios.min(), "most": ratios.max()}
        found.append({"what": name, "median": np.median(ratios), **ends})
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return models[0].split(":")[1].strip() if models else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
