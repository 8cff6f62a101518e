"""How the tables of docs/tables are made, one command each."""

from math import inf

from .measured import Source


def _sweep(overrides: str, minutes: float, report: str) -> Source:
    return Source(f"python scripts/train.py {overrides}", minutes, report)


def _benchmark(program: str, minutes: float, keys: str, **needs) -> Source:
    return Source(f"python {program} --json {{json}}", minutes, keys=tuple(keys.split()), **needs)


def _alexnet(
    matrix: str, minutes: float, keys: str = "mask n_in method patch_format", part: str = "sums"
) -> Source:
    program = f"benchmarks/alexnet.py {matrix}--masks exact lowrank codebook xor --threads 1"
    return _benchmark(program, minutes, keys, part=part, loose={"seconds": inf, "mask_seconds": inf})


PLANTS = "--weights .cache/weights/plants/model.safetensors --layers fc1.weight "
"""Of `python scripts/get_weights.py plants`."""
TIMES = {"median": 2, "least": inf, "most": inf}
RATIOS = {"ratio_median": 2, "ratio_min": inf, "ratio_max": inf}
SOURCES = {
    "lenet_headline": _sweep("+experiment=lenet_headline", 30, "lenet_headline"),
    "lenet_sweep": _sweep("+experiment=lenet_sweep", 8, "lenet_sweep"),
    "lenet_trained": _sweep("+experiment=lenet_trained quantize.words=search", 15, "lenet_trained"),
    "wide_fc": _sweep("+experiment=wide_fc", 60, "wide_fc"),
    "lstm_trained": _sweep(
        "+experiment=lstm_trained optim.epochs=20 quantize.optim.epochs=6 code.n_out=10", 150, "lstm_trained"
    ),
    "lenet_masks": _sweep("+experiment=lenet_masks", 24, "lenet_masks"),
    "lenet300_sweep": _sweep("+experiment=lenet300_sweep", 4, "lenet300_sweep"),
    "codec_limits": _benchmark(
        "benchmarks/codec_limits.py --threads 1", 25, "prune_rate n_in method patch_format"
    ),
    "codec_studies": _benchmark(
        "scripts/figures.py --out {runs}/figures --page {runs}/figures",
        3,
        "prune_rate n_in method patch_format",
    ),
    "alexnet": _alexnet("", 60),
    "alexnet_real": _alexnet(PLANTS, 12),
    "alexnet_structure": _alexnet(PLANTS, 12, "layer", "structure"),
    "encode": _benchmark("benchmarks/encode.py", 2, "what", loose=TIMES),
    "decode": _benchmark("benchmarks/decode.py", 1, "what over", loose={"ratio": 2}),
    "products": _benchmark("benchmarks/product.py", 1, "shape n_out prune_rate batch way", loose=RATIOS),
    "inference": _benchmark(
        "benchmarks/inference.py",
        1,
        "model weights what",
        loose=RATIOS | dict.fromkeys(("load_s", "first_s", "median_ms"), inf),
    ),
    "train_code": _benchmark("benchmarks/train_code.py", 3, "n_out words", loose=RATIOS),
    "train_step": _benchmark("benchmarks/train_step.py", 2, "batch peer", loose=TIMES, module="torch"),
}
"""By name. A table that is not among them was put together by hand, or of runs that are no longer there."""
