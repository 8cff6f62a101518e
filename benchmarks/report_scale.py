"""How long do 10,000 finished points take to become a table and a report, and how large is the page?

    python benchmarks/report_scale.py [runs/reports/lenet_sweep]

The points are made of real ones: other seeds, prune rates, n_in and n_out, jittered bits and metrics, with training
curves for every network. Points of one seed and prune rate share a quantized model, as in a sweep. The peer is the
floor: parsing the same files and writing the same rows as Parquet, nothing checked and nothing drawn. A round times
each in a process of its own, in turn, the order reversed from round to round; printed are medians over rounds of the
times and of their ratios to the floor of the same round. "again" is a report after one more point in the same process,
as a sweep builds it.
"""

import argparse
import itertools
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
from encode import cpu

from xorjax.files import record_sha256
from xorjax.results.collect import read_experiment, tabulate, write_table
from xorjax.results.report import build_report
from xorjax.results.rows import COLUMNS
from xorjax.streams import BIT_STREAMS

RATES = (0.8, 0.85, 0.88, 0.9, 0.92, 0.93, 0.95, 0.96, 0.97, 0.98)
N_INS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64)
FILLS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1.0, 1.05)
FLOOR = "floor: parse, write Parquet"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", nargs="?", type=Path, default=Path("runs/reports/lenet_sweep"))
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="make the points here and leave them, with the report")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        runs = arguments.keep or Path(temporary)
        report_dir = make(arguments.experiment, runs, arguments.points, arguments.seed)
        measure(report_dir, Path(temporary) / "floor.parquet", arguments.rounds)


def measure(report_dir: Path, scratch: Path, rounds: int) -> None:
    """Print the seconds of the floor, of collecting, of the report and of one more report."""
    page, table = build_report(report_dir), pl.read_parquet(report_dir / "results.parquet")
    files = sorted((report_dir / "points").glob("*.json"))
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files):,} point files, {megabytes:.0f} MB; {table.height:,} rows")
    print(
        f"{cpu()}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, polars {pl.__version__} with "
        f"{pl.thread_pool_size()} threads, Python {platform.python_version()}; {rounds} rounds"
    )
    seconds: dict[str, list[float]] = {}
    for turn in range(rounds):
        for program in (floor, collecting, reporting)[:: -1 if turn % 2 else 1]:
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                for name, took in alone.submit(program, report_dir, scratch).result().items():
                    seconds.setdefault(name, []).append(took)
    least = seconds[FLOOR]
    for name in sorted(seconds, key=lambda name: median(seconds[name])):
        ratios = [own / peer for own, peer in zip(seconds[name], least, strict=True)]
        print(
            f"{name:29} {median(seconds[name]):6.1f} s   {median(ratios):5.2f} of the floor "
            f"(rounds {min(ratios):.2f} to {max(ratios):.2f})"
        )
    print(f"report.html                   {page.stat().st_size / 1e6:6.1f} MB")


def floor(report_dir: Path, scratch: Path) -> dict[str, float]:
    """Parse every file and write a table of the same rows."""
    table = pl.read_parquet(report_dir / "results.parquet")
    started = time.perf_counter()
    for file in sorted((report_dir / "points").glob("*.json")):
        json.loads(file.read_text(encoding="utf-8"))
    table.write_parquet(scratch)
    return {FLOOR: time.perf_counter() - started}


def collecting(report_dir: Path, scratch: Path) -> dict[str, float]:
    started = time.perf_counter()
    write_table(tabulate(read_experiment(report_dir)), report_dir)
    return {"collect": time.perf_counter() - started}


def reporting(report_dir: Path, scratch: Path) -> dict[str, float]:
    started = time.perf_counter()
    build_report(report_dir)
    built = time.perf_counter()
    files = sorted((report_dir / "points").glob("*.json"))
    rewritten = files[len(files) // 2]
    rewritten.write_text(rewritten.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    began = time.perf_counter()
    build_report(report_dir)
    return {
        "collect + report": built - started,
        "again after one more point": time.perf_counter() - began,
    }


def make(experiment: Path, runs: Path, n_points: int, seed: int) -> Path:
    """Write the plan, the point files and the metrics of `n_points` invented points; returns the report directory."""
    noise = random.Random(seed)
    if not (experiment / "plan.json").exists():
        raise SystemExit(
            f"{experiment} has no plan.json: run python scripts/train.py +experiment=lenet_sweep first"
        )
    plan = json.loads((experiment / "plan.json").read_text(encoding="utf-8"))
    present = [experiment / "points" / f"{name}.json" for name in plan["points"]]
    templates = [json.loads(file.read_text(encoding="utf-8")) for file in present if file.exists()]
    templates = [point for point in templates if point["status"] == "ok"]
    if not templates:
        raise SystemExit(f"{experiment} has no finished point: run python scripts/train.py first")
    report_dir = runs / "reports" / plan["experiment"]
    (report_dir / "points").mkdir(parents=True)
    names = []
    for i, (run, rate, n_in, fill) in enumerate(itertools.islice(settings(), n_points)):
        point = vary(templates[i % len(templates)], run, rate, n_in, fill, noise)
        names.append(point["point"])
        signed = point | {"sha256": record_sha256(point)}
        (report_dir / "points" / f"{point['point']}.json").write_text(json.dumps(signed), encoding="utf-8")
        for curve in point["curves"]:
            copy_metrics(curve, experiment.parent.parent, runs)
    content = {"experiment": plan["experiment"], "command": plan["command"], "points": names}
    content["swept"] = {
        "seed": [],
        "prune.rate": list(RATES),
        "code.n_in": list(N_INS),
        "code.fill": list(FILLS),
    }
    (report_dir / "plan.json").write_text(json.dumps(content), encoding="utf-8")
    return report_dir


def settings() -> Iterator[tuple[int, float, int, float]]:
    """Seed, prune rate, n_in and fill, seeds outermost."""
    for run in itertools.count():
        yield from ((run, rate, n_in, fill) for rate in RATES for n_in in N_INS for fill in FILLS)


def vary(
    template: dict[str, Any], run: int, rate: float, n_in: int, fill: float, noise: random.Random
) -> dict[str, Any]:
    """A point like `template` with another seed, prune rate and XOR shape."""
    n_out = round(fill * n_in / (1 - rate))
    model = f"lenet5-mnist-seed{run}-S{rate:g}-q1"
    name = f"{model}-xor{n_in}x{n_out}-{noise.getrandbits(40):010x}"
    model = f"{model}-{run:04x}{round(1000 * rate):06x}"
    loss = (0.02 * rate) ** 2 + noise.gauss(0, 3e-4)
    rows = [
        vary_row(
            row, {"seed": run, "prune_rate": rate, "quantized": model, "point": name}, n_in, n_out, fill, loss
        )
        for row in template["rows"]
    ]
    for row in rows:
        for stream in BIT_STREAMS:
            row[stream] *= 1 + noise.gauss(0, 0.01)
        row["bits_per_weight"] = sum(row[stream] for stream in BIT_STREAMS)
    curves = [
        curve | {"title": f"{curve['stage']}, S = {rate:g}, seed {run}", "from": curve["metrics"]}
        for curve in template["curves"]
    ]
    for i, curve in enumerate(curves):
        curve["metrics"] = f"{curve['stage']}/{model}-{i}/metrics.jsonl"
        if curve["stage"] == "dense":
            curve |= {"metrics": f"dense/seed{run}/metrics.jsonl", "title": f"dense, seed {run}"}
    config = template["config"] | {"seed": run, "prune": template["config"]["prune"] | {"rate": rate}}
    config["code"] = config["code"] | {"n_in": n_in, "fill": fill, "n_out": n_out}
    return template | {"point": name, "config": config, "rows": rows, "curves": curves}


def vary_row(
    row: dict[str, Any], common: dict[str, Any], n_in: int, n_out: int, fill: float, loss: float
) -> dict[str, Any]:
    words = [word for word in row["command"].split(" ") if "=" not in word or word.startswith("+")]
    words += [f"seed={common['seed']}", f"prune.rate={common['prune_rate']:g}"]
    words += [f"code.n_in={n_in}", f"code.fill={fill:g}"]
    changed = common | {"command": " ".join(words)}
    if not row["baseline"]:
        changed |= {"n_in": n_in, "n_out": n_out, "fill": fill, "code_bits": n_in / n_out}
    if row["test_metric"] is not None:
        changed["test_metric"] = row["dense_metric"] - loss
    changed["validation_metric"] = row["dense_validation_metric"] - loss + 2e-4
    known = dict.fromkeys(COLUMNS) | row | changed
    return {key: value for key, value in known.items() if key != "config"}


def copy_metrics(curve: dict[str, str], from_runs: Path, runs: Path) -> None:
    source, copy = from_runs / curve["from"], runs / curve["metrics"]
    if source.exists() and not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())


if __name__ == "__main__":
    main()
