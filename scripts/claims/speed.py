"""Claims of docs/results.md on speed: ratios within one run."""

from xorjax.codec.patches import PATCH_FORMATS

from .claim import Claim, Command, Found, Loose, Results
from .documents import Table
from .printed import numbers_after, python
from .sweeps import RESULTS

ENCODE = python("encode", 2, "benchmarks/encode.py")
DECODE = python("decode", 1, "benchmarks/decode.py")
WHOLE_DECODER = "whole decoder to a Bool plane, paper / blocked / care / enumerative, over look-up"
SIGNS = "packed signs behind the same mask, decoded, over the XOR code (care, interleaved)"
PRODUCTS = "a product with one x: the XOR code / packed signs, over float32 weights"
STEP = python("train_step", 1.5, "benchmarks/train_step.py", module="torch")


def _ratios(results: Results, command: Command, words: str, factor: float) -> list[Loose]:
    """The middle and the ends of a benchmark's rounds."""
    return [Loose(ratio, factor) for ratio in numbers_after(results, command, words)]


def encoder_speed(results: Results) -> Found:
    (speed, *_) = numbers_after(results, ENCODE, "greedy:")
    return {
        "numba encoder over galois, 9216x4096, S=.91, n_in=20, n_out=200": _ratios(
            results, ENCODE, "galois / greedy, times:", 2
        ),
        "the same, weights a second": [Loose(speed * 1e6)],
        "fewest patches: greedy's time over theirs, same layer, 2 threads": _ratios(
            results, ENCODE, "greedy / minimum, times:", 1.5
        ),
    }


def decoder_speed(results: Results) -> Found:
    names = {
        "AND + popcount": "AND + popcount over look-up, decoding to packed words",
        "float product mod 2": "float product modulo 2 over look-up",
        "look-up, patches": "look-up with patches over look-up",
    }
    found = {label: [Loose(numbers_after(results, DECODE, name)[2], 2)] for name, label in names.items()}
    planes = [numbers_after(results, DECODE, f"plane, {name} ")[2] for name in PATCH_FORMATS]
    ours, signs = (
        numbers_after(results, DECODE, f"plane, {name} ")[2] for name in ("care, interleaved", "packed signs")
    )
    products = [
        numbers_after(results, DECODE, f"x @ W, {name} ")[2]
        for name in ("care, interleaved", "packed signs", "float32")
    ]
    return found | {
        WHOLE_DECODER: [Loose(ratio, 2) for ratio in planes],
        SIGNS: [Loose(signs / ours, 2)],
        PRODUCTS: [Loose(product / products[-1], 2) for product in products[:-1]],
    }


def step_speed(results: Results) -> Found:
    """A training step over PyTorch's, fused Adam; the document has three runs."""
    milliseconds = {
        (batch, program): numbers_after(results, STEP, f"batch {batch:4}  {program}")[0]
        for batch in (64, 128)
        for program in ("xorjax", "torch, fused Adam", "torch, default Adam")
    }

    def ratio(batch: int, adam: str) -> Loose:
        return Loose(milliseconds[batch, "xorjax"] / milliseconds[batch, f"torch, {adam} Adam"], 1.3)

    return {
        "training step over PyTorch 2.15, fused Adam, batch 64": [ratio(64, "fused")] * 3,
        "batch 128": [ratio(128, "fused")] * 3,
        "the same over PyTorch's default Adam, batch 64 / 128": [ratio(64, "default")] * 2
        + [ratio(128, "default")] * 2,
    }


CLAIMS = (
    Claim(
        "encoder-speed",
        RESULTS,
        Table(
            "speed",
            rows=(
                "numba encoder over galois, 9216x4096, S=.91, n_in=20, n_out=200",
                "the same, weights a second",
                "fewest patches: greedy's time over theirs, same layer, 2 threads",
            ),
        ),
        (ENCODE,),
        encoder_speed,
    ),
    Claim(
        "decoder-speed",
        RESULTS,
        Table(
            "speed",
            rows=(
                "AND + popcount over look-up, decoding to packed words",
                "float product modulo 2 over look-up",
                "look-up with patches over look-up",
                WHOLE_DECODER,
                SIGNS,
                PRODUCTS,
            ),
        ),
        (DECODE,),
        decoder_speed,
    ),
    Claim(
        "step-speed",
        RESULTS,
        Table(
            "speed",
            rows=(
                "training step over PyTorch 2.15, fused Adam, batch 64",
                "batch 128",
                "the same over PyTorch's default Adam, batch 64 / 128",
            ),
        ),
        (STEP,),
        step_speed,
    ),
)
