"""Claims of README.md and docs/results.md on ten fresh seeds: loss, interval, and sizes beside the entropy."""

from .claim import Claim, Found, Results
from .documents import Sentence, Table
from .sweeps import RATES, RESULTS, best_gaps, encoded, interval, losses, mean, rival, sweep

HEADLINE = sweep("lenet_headline", 30, "+experiment=lenet_headline")
CODECS = {
    "the same mask + packed signs": ("signs", "ans_rc"),
    "the same mask + entropy-coded signs": ("ans_signs", "ans_rc"),
    "the same mask + context-coded signs": ("context_signs", "ans_rc"),
    "ternary symbols, ANS with one density": ("ans_signs", "ans"),
    "Golomb-coded runs + signs": ("signs", "golomb"),
}
"""Beside the XOR code, by their names in the documents."""


def headline_table(results: Results) -> Found:
    table = results.table(HEADLINE)
    xor = encoded(table)
    nets = {n_in: encoded(table, n_in=n_in) for n_in in (20, 64)}

    def means(rows, column: str, factor: float = 1) -> list[float]:
        return [factor * mean(rows, column, prune_rate=rate) for rate in RATES]

    found = {
        "dense, test accuracy, %": means(xor, "dense_accuracy", 100),
        "reference, test accuracy, %": means(xor, "reference_accuracy", 100),
        "compressed, test accuracy, %": means(xor, "test_accuracy", 100),
        "loss, percentage points": [x for rate in RATES for x in interval(losses(xor, prune_rate=rate))],
        "epochs, those of dense training included": means(xor, "epochs"),
        "mask": means(xor, "index_bits"),
        "kept signs: entropy / in contexts": [
            mean(xor, column, prune_rate=rate)
            for rate in RATES
            for column in ("sign_entropy", "context_entropy")
        ],
        "values, XOR code, n_in=20 / 64": [
            mean(nets[n_in], "value_bits", prune_rate=rate) for rate in RATES for n_in in (20, 64)
        ],
        "total, XOR code, n_in=20": means(nets[20], "bits_per_weight"),
        "total, XOR code, n_in=64": means(nets[64], "bits_per_weight"),
        "total, CSR + signs, best gap width": best_gaps(table),
        "whole file, bits per parameter, n_in=64": means(nets[64], "file_bits_per_parameter"),
    }
    return found | {
        f"total, {name}": means(rival(table, *codec), "bits_per_weight") for name, codec in CODECS.items()
    }


def codecs_table(results: Results) -> Found:
    """At S = .95: values, mask and total, and the whole file for the XOR code."""
    table = results.table(HEADLINE).filter(prune_rate=0.95)
    columns, found = ("value_bits", "index_bits", "bits_per_weight"), {}
    for n_in in (20, 64):
        xor = encoded(table, n_in=n_in)
        found[f"XOR code, n_in={n_in}"] = [mean(xor, c) for c in (*columns, "file_bits_per_parameter")]
    for name, codec in CODECS.items():
        rows = rival(table, *codec)
        found[name] = [mean(rows, column) for column in (*columns, "file_bits_per_parameter")]
    return found


def loss(results: Results) -> Found:
    """At S = .95: the accuracies, the loss and its interval."""
    xor = encoded(results.table(HEADLINE), prune_rate=0.95)
    accuracies = (100 * mean(xor, name) for name in ("test_accuracy", "reference_accuracy"))
    return {"": [*accuracies, *interval(losses(xor))]}


def distance(results: Results) -> Found:
    """By how many percent the XOR code is above the smallest codec at S = .95, in all and in the values alone."""
    table = results.table(HEADLINE).filter(prune_rate=0.95)
    xor, least = encoded(table, n_in=64), rival(table, "context_signs", "ans_rc")
    return {"": [100 * (mean(xor, c) / mean(least, c) - 1) for c in ("bits_per_weight", "value_bits")]}


def above_random(results: Results) -> Found:
    """How far the values are above 1 - S at most."""
    xor = encoded(results.table(HEADLINE), n_in=64)
    return {"": [100 * (max(mean(xor, "value_bits", prune_rate=rate) / (1 - rate) for rate in RATES) - 1)]}


def fixed_share(results: Results) -> Found:
    """At n_in=20 the code words, and the total."""
    xor = encoded(results.table(HEADLINE), prune_rate=0.95, n_in=20)
    return {"": [mean(xor, column) for column in ("code_bits", "bits_per_weight")]}


def row(results: Results) -> Found:
    return {
        "+experiment=lenet_headline": [
            encoded(results.table(HEADLINE))["point"].n_unique(),
            *loss(results)[""],
            results.minutes(HEADLINE),
        ]
    }


README = "README.md"
CLAIMS = (
    Claim("headline", RESULTS, Table("headline"), (HEADLINE,), headline_table),
    Claim("readme-codecs", README, Table("codecs"), (HEADLINE,), codecs_table),
    Claim(
        "readme-loss",
        README,
        Sentence(
            "{} % against {} % for a dense network that was trained as long: a loss of {} ± {} percentage points"
        ),
        (HEADLINE,),
        loss,
    ),
    Claim(
        "readme-distance",
        README,
        Sentence("The XOR code (n_in=64) takes {} % more than the smallest codec, its values {} % more"),
        (HEADLINE,),
        distance,
    ),
    Claim(
        "readme-random",
        README,
        Sentence("come to within {} % of 1 - S at all three S"),
        (HEADLINE,),
        above_random,
    ),
    Claim(
        "readme-fixed-share",
        README,
        Sentence("The code words alone have a fixed rate, {} of the {} bits at n_in=20"),
        (HEADLINE,),
        fixed_share,
    ),
    Claim(
        "readme-headline", README, Table("commands", rows=("+experiment=lenet_headline",)), (HEADLINE,), row
    ),
)
