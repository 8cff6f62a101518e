"""Claims of docs/results.md on LeNet-5, from the tables that sweeps leave: means over seeds."""

from math import sqrt
from statistics import fmean, stdev

import polars as pl
from scipy.stats import t

from .claim import Claim, Command, Found, NotMeasuredError, Results
from .documents import Sentence, Table, label_of

RESULTS = "docs/results.md"
RATES = (0.9, 0.95, 0.98)


def sweep(name: str, minutes: float, overrides: str, experiment: str | None = None) -> Command:
    return Command(name, f"python scripts/train.py {overrides}", minutes, experiment or name)


SWEEP = sweep("lenet_sweep", 8, "+experiment=lenet_sweep")
SMALL = sweep("lenet_small", 24, "+experiment=lenet_small")
MASKS = sweep("lenet_masks", 16, "+experiment=lenet_masks")


def encoded(table: pl.DataFrame, **settings) -> pl.DataFrame:
    """The rows of the XOR code, baselines left out."""
    return table.filter(~pl.col.baseline).filter(**settings)


def rival(table: pl.DataFrame, code: str, mask_codec: str) -> pl.DataFrame:
    """The rows of a baseline."""
    return table.filter("baseline", code=code, mask_codec=mask_codec)


def same_mask(table: pl.DataFrame) -> pl.DataFrame:
    """The same mask, and the kept signs as they are."""
    return rival(table, "signs", "ans_rc")


def mean(table: pl.DataFrame, column: str, **settings) -> float:
    """Over the rows with these settings, which must be there."""
    return fmean(by_seed(table, column, **settings))


def deviation(table: pl.DataFrame, column: str, **settings) -> float:
    """The sample standard deviation over seeds."""
    return stdev(by_seed(table, column, **settings))


def by_seed(table: pl.DataFrame, column: str, **settings) -> list[float]:
    """A value a seed; rows of one seed are of one model, or differ in what the mean is taken over."""
    rows = table.filter(**settings).filter(pl.col(column).is_not_null())
    if rows.is_empty():
        raise NotMeasuredError(f"no row with {settings}")
    return rows.group_by("seed").agg(pl.col(column).mean()).sort("seed")[column].to_list()


def losses(table: pl.DataFrame, than: str = "reference", **settings) -> list[float]:
    """How much less the test accuracy of each seed is than its reference's, or its dense model's, in points."""
    lost = table.with_columns(lost=100 * (pl.col(f"{than}_accuracy") - pl.col.test_accuracy))
    return by_seed(lost, "lost", **settings)


def interval(values: list[float]) -> tuple[float, float]:
    """The mean, and half its 95 % interval by Student's t."""
    return fmean(values), float(t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))


def n_points(table: pl.DataFrame) -> int:
    return encoded(table)["point"].n_unique()


def sweep_table(results: Results) -> Found:
    table = results.table(SWEEP)
    xor = encoded(table)

    def values(n_in: int) -> list[float]:
        return [
            mean(xor, "value_bits", prune_rate=rate, n_in=n_in, patch_format=patch_format)
            for rate in RATES
            for patch_format in ("care", "enumerative")
        ]

    def totals(code: str, mask_codec: str) -> list[float]:
        rows = rival(table, code, mask_codec)
        return [mean(rows, "bits_per_weight", prune_rate=rate) for rate in RATES]

    return {
        "test accuracy, mean %": [
            100 * mean(table, "dense_accuracy"),
            *(100 * mean(xor, "test_accuracy", prune_rate=rate) for rate in RATES),
        ],
        "sample standard deviation": [
            100 * deviation(table, "dense_accuracy"),
            *(100 * deviation(xor, "test_accuracy", prune_rate=rate) for rate in RATES),
        ],
        "reference, test accuracy, mean %": [
            100 * mean(xor, "reference_accuracy", prune_rate=rate) for rate in RATES
        ],
        "loss against it, percentage points": [
            number for rate in RATES for number in interval(losses(xor, prune_rate=rate))
        ],
        "kept signs that binarized training changed, %": [
            100 * mean(xor, "flipped_signs", prune_rate=rate) for rate in RATES
        ],
        "value bits, n_in=12: care / enumerative": values(12),
        "value bits, n_in=20": values(20),
        "value bits, n_in=64": values(64),
        "kept signs: entropy / in contexts": [
            mean(xor, column, prune_rate=rate)
            for rate in RATES
            for column in ("sign_entropy", "context_entropy")
        ],
        "index bits": [mean(xor, "index_bits", prune_rate=rate) for rate in RATES],
        "total, best XOR point": best(xor, "bits_per_weight"),
        "total, the same mask + packed signs": totals("signs", "ans_rc"),
        "total, the same mask + entropy-coded signs": totals("ans_signs", "ans_rc"),
        "total, the same mask + context-coded signs": totals("context_signs", "ans_rc"),
        "total, ANS of ternary symbols": totals("ans_signs", "ans"),
        "total, Golomb-coded runs + sign": totals("signs", "golomb"),
        "total, relative-index CSR of the best width + sign": best_gaps(table),
        "total, bitmap + packed signs": totals("signs", "bitmap"),
    }


def best_gaps(table: pl.DataFrame) -> list[float]:
    """CSR with gaps of the width that is the smallest at each rate."""
    widths = [rival(table, "signs", f"csr{width}") for width in range(4, 9)]
    return [min(mean(rows, "bits_per_weight", prune_rate=rate) for rows in widths) for rate in RATES]


def best(xor: pl.DataFrame, column: str, n_in: int = 64) -> list[float]:
    """Of the smallest point of each prune rate."""
    return [mean(xor, column, prune_rate=rate, n_in=n_in, patch_format="enumerative") for rate in RATES]


def no_difference(results: Results) -> Found:
    xor = encoded(results.table(SWEEP))
    equal = xor.filter(pl.col.lossless & (pl.col.logit_difference == 0) & (pl.col.n_bounded == 0))
    return {"": [n_points(equal), xor["logit_difference"].max(), xor["n_test"].min()]}  # pyright: ignore[reportReturnType]


def whole_files(results: Results) -> Found:
    return {"": best(encoded(results.table(SWEEP)), "file_bits_per_parameter")}


def parts_of_files(results: Results) -> Found:
    """Bits a parameter of the smallest point at S = .95: uncompressed parameters, which are float32, whole, header."""
    xor = encoded(results.table(SWEEP), prune_rate=0.95, n_in=64, patch_format="enumerative")
    whole, bits, n_bytes, n_coded = (
        mean(xor, name) for name in ("file_bits_per_parameter", "bits_per_weight", "file_bytes", "n_weights")
    )
    coded = n_coded / (8 * n_bytes / whole)
    return {"": [32 * (1 - coded), whole, whole - 32 * (1 - coded) - bits * coded]}


def packed_signs(results: Results) -> Found:
    table = results.table(SWEEP)
    signs = [mean(same_mask(table), "bits_per_weight", prune_rate=rate) for rate in RATES]
    ratios = zip(best(encoded(table), "bits_per_weight"), signs, strict=True)
    return {"": [100 * fmean(1 - packed / best for best, packed in ratios)]}


def dense_accuracies(results: Results) -> Found:
    return {"": [100 * value for value in by_seed(results.table(SWEEP), "dense_accuracy")]}


def validation_accuracy(results: Results) -> Found:
    """Of the chosen recipe, seed 0."""
    return {"": [100 * by_seed(results.table(SWEEP), "dense_validation_accuracy")[0]]}


def masks_table(results: Results) -> Found:
    xor, found = encoded(results.table(MASKS)), {}
    for rate in (0.95, 0.98):
        for codec in ("ans_rc", "codebook", "xor", "lowrank"):
            own = {"prune_rate": rate, "mask_codec": codec}
            columns = ("kept_score", "index_bits", "value_bits", "bits_per_weight")
            name = "ans_rc, exact" if codec == "ans_rc" else codec
            found[label_of(rate, name)] = [
                *(mean(xor, column, **own) for column in columns),
                100 * mean(xor, "test_accuracy", **own),
                100 * deviation(xor, "test_accuracy", **own),
                *interval(losses(xor, **own)),
            ]
    return found


def masks_summary(results: Results) -> Found:
    xor = encoded(results.table(MASKS))
    own = {"prune_rate": 0.95, "mask_codec": "xor"}
    dense = 100 * mean(xor, "dense_accuracy")
    columns = ("index_bits", "code_bits", "patch_bits", "bits_per_weight", "value_bits")
    mask, words, patches, total, values = (mean(xor, column, **own) for column in columns)
    exact = encoded(results.table(SWEEP), prune_rate=0.95, n_in=20, patch_format="enumerative")
    of_exact = mean(exact, "patch_bits") / mean(exact, "value_bits")
    shares = [100 * share for share in (patches / total, patches / values, of_exact)]
    return {"": [dense, mask, words, patches, *shares, total, fmean(losses(xor, **own))]}


def small_table(results: Results) -> Found:
    xor = encoded(results.table(SMALL))

    def line(rows: pl.DataFrame) -> list[float]:
        dense, test = (100 * mean(rows, name) for name in ("dense_accuracy", "test_accuracy"))
        bits = (mean(rows, name) for name in ("index_bits", "value_bits", "bits_per_weight"))
        return [dense, test, fmean(losses(rows, "dense")), *bits]

    return {
        **{str(seed): line(xor.filter(seed=seed)) for seed in range(5)},
        "mean of 0 to 2": line(xor.filter(pl.col.seed < 3)),
        "mean of 5": line(xor),
    }


def small_spread(results: Results) -> Found:
    """The largest loss of accuracy of a seed, and the deviation over seeds."""
    xor = encoded(results.table(SMALL))
    return {"": [max(losses(xor, "dense")), 100 * deviation(xor, "test_accuracy")]}


def small_others(results: Results) -> Found:
    """Of the whole file, and the same mask with packed signs."""
    table = results.table(SMALL)
    return {"": [mean(table, "file_bits_per_parameter"), mean(same_mask(table), "bits_per_weight")]}


CLAIMS = (
    Claim("sweep", RESULTS, Table("sweep"), (SWEEP,), sweep_table),
    Claim(
        "sweep-lossless",
        RESULTS,
        Sentence(
            "In all {} points the decoded signs equal the quantized ones on every care bit, and the logits of the "
            "model that decodes in its forward pass equal the quantized model's exactly (`logit_difference` {}) for "
            "all {} images."
        ),
        (SWEEP,),
        no_difference,
    ),
    Claim(
        "sweep-packed-signs",
        RESULTS,
        Sentence("are {} % below the XOR code too"),
        (SWEEP,),
        packed_signs,
    ),
    Claim(
        "sweep-files",
        RESULTS,
        Sentence("The whole files of the three best points take {}, {} and {} bits a parameter"),
        (SWEEP,),
        whole_files,
    ),
    Claim(
        "sweep-parts",
        RESULTS,
        Sentence(
            "of the point at S=.95, {} of {} are the float32 of the other layers, whatever the codec, and {} the header"
        ),
        (SWEEP,),
        parts_of_files,
    ),
    Claim(
        "dense-accuracy",
        RESULTS,
        Sentence("Test accuracies of the chosen recipe, seeds 0 to 2: {}, {}, {} %"),
        (SWEEP,),
        dense_accuracies,
    ),
    Claim(
        "validation-accuracy",
        RESULTS,
        Sentence("99.22 % without and {} % with label smoothing .05"),
        (SWEEP,),
        validation_accuracy,
    ),
    Claim("masks", RESULTS, Table("masks-trained", n_labels=2), (SWEEP, MASKS), masks_table),
    Claim(
        "masks-summary",
        RESULTS,
        Sentence(
            "(dense {}.) At S=.95 `xor` stores the mask ({}) and the code words ({}) at a fixed rate, each window and "
            "each word at a known place, both decoded by XOR networks. The patches ({}) have none: they are {} % of "
            "these bits and {} % of the value bits, differ in number from slice to slice, and in the enumerative "
            "format are decoded in sequence and behind the mask. At n_in=20 they are {} % of the value bits "
            "(`lenet_sweep`, exact mask). It is {} bits a weight for a loss of {} pp."
        ),
        (SWEEP, MASKS),
        masks_summary,
    ),
    Claim("small", RESULTS, Table("small"), (SWEEP, SMALL), small_table),
    Claim(
        "small-spread",
        RESULTS,
        Sentence("One seed is {} below dense; the sample standard deviation is {} pp"),
        (SWEEP, SMALL),
        small_spread,
    ),
    Claim(
        "small-others",
        RESULTS,
        Sentence("The whole file takes {} bits a parameter. The same mask with packed signs takes {}."),
        (SWEEP, SMALL),
        small_others,
    ),
)
