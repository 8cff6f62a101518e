"""A checkpoint larger than the memory it is given: what `xorjax compress --jobs` takes, by number of jobs.

A seeded checkpoint of normal weights in shards, --gigabytes or a little more, is made under --scratch and removed at
the end. Each number of jobs is a fresh command; printed are its time against that of the first, the peak memory of the
command and of the largest worker (VmHWM and ru_maxrss: pages of mapped files count), and the time that reading the
checkpoint takes, which is the floor. All give the same bytes, which is checked.

    python benchmarks/compress_shards.py --scratch /tmp/shards --jobs 1 2
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from xorjax.container.tensors import DTYPES, Described, write_made

CHUNK = 1 << 24


def make_checkpoint(directory: Path, n_bytes: int, n_shards: int, side: int, dtype: str) -> int:
    """Shards of side x side weights and one vector each that is kept; returns the bytes of the largest tensor."""
    directory.mkdir(parents=True)
    largest = side * side * DTYPES[dtype].itemsize
    per_shard = -(-n_bytes // (n_shards * largest))
    places = {}
    for i in range(1, n_shards + 1):
        name = f"model-{i:05d}-of-{n_shards:05d}.safetensors"
        described: Described = {f"layers.{i}.{j}.weight": (dtype, (side, side)) for j in range(per_shard)}
        described[f"layers.{i}.norm"] = (dtype, (side,))

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


def compress(source: Path, out: Path, options: list[str]) -> tuple[float, int, dict]:
    """Seconds, the command's own peak memory, and what it printed."""
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
        return seconds, peak, json.load(printed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scratch", type=Path, required=True, help="a directory that does not exist")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
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
    print(
        f"{n_bytes / 1e9:.2f} GB of {args.dtype} in {args.shards} shards; largest tensor {largest / 1e6:.0f} MB, "
        f"{args.side**2 / 1e6:.1f} million weights; read in {read_time(source):.1f} s",
        flush=True,
    )
    first, sums = None, set()
    for jobs in args.jobs:
        out = args.scratch / f"jobs{jobs}"
        seconds, peak, result = compress(source, out, ["--jobs", str(jobs)])
        first = first or seconds
        workers = max(shard["peak_bytes"] for shard in result["shards"])
        sums.add((out / "model.xorjax.index.json").read_text())
        print(
            f"jobs {jobs}: {seconds:.0f} s ({seconds / first:.2f} of the first), {result['file_bytes'] / 1e6:.1f} MB, "
            f"{result['totals']['bits_per_weight']:.3f} bits/weight; peak memory {peak / 1e6:.0f} MB the command, "
            f"{workers / 1e6:.0f} MB a worker",
            flush=True,
        )
    assert len(sums) == 1, "the numbers of jobs gave unequal files"
    if args.whole:
        seconds, peak, result = compress(source, args.scratch / "whole.xorjax", [])
        print(
            f"one file: {seconds:.0f} s, {result['file_bytes'] / 1e6:.1f} MB; peak memory {peak / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
