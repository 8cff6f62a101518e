"""A checkpoint larger than the memory it is given: what `xorjax compress --jobs` takes, by number of jobs.

A seeded checkpoint of normal weights in shards, --gigabytes or a little more, is made under --scratch and removed at
the end. A round is a fresh command for each number of jobs, in turn, the order reversed from round to round, and a
reading of the checkpoint, which is the floor. Printed are medians over rounds of the times and of their ratios to the
first number of jobs in the same round, and the largest peaks of memory, of the command and of a worker (VmHWM and
ru_maxrss: pages of mapped files count). All give the same bytes, which is checked.

    python benchmarks/compress_shards.py --scratch /tmp/shards --jobs 1 2
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from encode import cpu

from xorjax.container.tensors import DTYPES, Description, write_made

CHUNK = 1 << 24
# What moves the times, beside --jobs: each worker has its share of the cores unless told otherwise.
SETTINGS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "GLIBC_TUNABLES")


def make_checkpoint(directory: Path, n_bytes: int, n_shards: int, side: int, dtype: str) -> int:
    """Shards of side x side weights and one vector each that is kept; returns the bytes of the largest tensor."""
    directory.mkdir(parents=True)
    largest = side * side * DTYPES[dtype].itemsize
    per_shard = -(-n_bytes // (n_shards * largest))
    places = {}
    for i in range(1, n_shards + 1):
        name = f"model-{i:05d}-of-{n_shards:05d}.safetensors"
        described: dict[str, Description] = {
            f"layers.{i}.{j}.weight": (dtype, (side, side), largest) for j in range(per_shard)
        }
        described[f"layers.{i}.norm"] = (dtype, (side,), largest // side)

        def draw(tensor: str, shapes=described) -> np.ndarray:
            seed = int.from_bytes(hashlib.sha256(tensor.encode()).digest()[:8], "little")
            values = np.random.default_rng(seed).standard_normal(shapes[tensor][1], np.float32)
            return values.astype(DTYPES[dtype])

        with (directory / name).open("wb") as file:
            write_made(file, described, draw, {"format": "pt"})
        places |= dict.fromkeys(described, name)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return largest


def read_time(directory: Path) -> float:
    started = time.perf_counter()
    for path in directory.glob("*.safetensors"):
        with path.open("rb") as file:
            while file.read(CHUNK):
                pass
    return time.perf_counter() - started


def peak_of(pid: int) -> int:
    """The largest resident set that a process has had, in bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


class Run(NamedTuple):
    """One command: what it took, its own peak memory, and what it printed."""

    seconds: float
    peak_bytes: int
    result: dict


def compress(source: Path, out: Path, options: list[str]) -> Run:
    command = [sys.executable, "-m", "xorjax.cli", "compress", str(source), str(out), "--json"]
    command += ["--layers", "*.weight", "--prune-rate", "0.9", "--scale", "row", *options]
    started, peak = time.perf_counter(), 0
    with (
        out.with_suffix(".stdout").open("w+") as printed,
        subprocess.Popen(command, stdout=printed) as process,
    ):
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid))
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        printed.seek(0)
        return Run(seconds, peak, json.load(printed))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scratch", type=Path, required=True, help="a directory that does not exist")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--side", type=int, default=4096, help="of the square layers")
    parser.add_argument("--dtype", default="F32")
    parser.add_argument("--whole", action="store_true", help="also as one file, without --jobs")
    args = parser.parse_args()
    args.scratch.mkdir(parents=True)
    try:
        measure(args)
    finally:
        shutil.rmtree(args.scratch)


def measure(args: argparse.Namespace) -> None:
    source = args.scratch / "checkpoint"
    largest = make_checkpoint(source, int(args.gigabytes * 1e9), args.shards, args.side, args.dtype)
    n_bytes = sum(path.stat().st_size for path in source.glob("*.safetensors"))
    environment = {name: os.environ.get(name, "") for name in SETTINGS}
    print(
        f"{n_bytes / 1e9:.2f} GB of {args.dtype} in {args.shards} shards; largest tensor {largest / 1e6:.0f} MB, "
        f"{args.side**2 / 1e6:.1f} million weights"
    )
    print(
        f"{cpu()}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {args.rounds} rounds; {environment}"
    )
    programs = {f"jobs {jobs}": ["--jobs", str(jobs)] for jobs in args.jobs}
    if args.whole:
        programs["one file"] = []
    runs: dict[str, list[Run]] = {name: [] for name in programs}
    reading, sums = [], set()
    for turn in range(args.rounds):
        reading.append(read_time(source))
        for name in list(programs)[:: -1 if turn % 2 else 1]:
            out = args.scratch / name.replace(" ", "")
            runs[name].append(compress(source, out, programs[name]))
            if out.is_dir():
                sums.add((out / "model.xorjax.index.json").read_text())
                shutil.rmtree(out)
            else:
                out.unlink()
    assert len(sums) == 1, "the numbers of jobs gave unequal files"
    first = [run.seconds for run in runs[f"jobs {args.jobs[0]}"]]
    print(f"reading alone: {median(reading):.1f} s")
    for name, of_name in runs.items():
        seconds = [run.seconds for run in of_name]
        ratios = [own / peer for own, peer in zip(seconds, first, strict=True)]
        result = of_name[0].result
        workers = [shard["peak_bytes"] for run in of_name for shard in run.result.get("shards", ())]
        print(
            f"{name}: {median(seconds):.1f} s, {median(ratios):.2f} of jobs {args.jobs[0]} "
            f"(rounds {min(ratios):.2f} to {max(ratios):.2f}); {result['file_bytes'] / 1e6:.1f} MB, "
            f"{result['totals']['bits_per_weight']:.3f} bits/weight; "
            f"peak memory {max(run.peak_bytes for run in of_name) / 1e6:.0f} MB the command"
            + (f", {max(workers) / 1e6:.0f} MB a worker" if workers else "")
        )


if __name__ == "__main__":
    main()
