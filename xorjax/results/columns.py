"""The columns of a sweep's tables, each stated once: type, unit and what it says. docs/columns.md is made of them.

To make that page anew: `python -m xorjax.results.columns > docs/columns.md`.
"""

from typing import Any, NamedTuple

import polars as pl

METRICS = (
    "dense_metric",
    "reference_metric",
    "pruned_metric",
    "quantized_metric",
    "test_metric",
    "validation_metric",
    "dense_validation_metric",
    "reference_validation_metric",
)
"""Each with a column beside it for accuracies alone, as `accuracy_column` calls it."""


def accuracy_column(column: str) -> str:
    """The column that repeats one of `METRICS` where it is an accuracy."""
    return column.replace("metric", "accuracy")


class Column(NamedTuple):
    """What a column holds. Null: undefined for this code (n_out of one without M), or the point failed."""

    type: Any
    about: str
    unit: str = ""


TEXT, INTEGER, NUMBER, BOOLEAN = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()
BITS, FRACTION = "bits per weight of the layer", "fraction"
_OF = {
    "dense_metric": "the dense network on the test split",
    "reference_metric": "the reference on the test split: the dense network trained as long and in the same way as the "
    "quantized one, neither pruned nor quantized",
    "pruned_metric": "the pruned network on the test split, its weights still floats",
    "quantized_metric": "the quantized network on the test split",
    "test_metric": "the network that decodes its weights, on the test split",
    "validation_metric": "the quantized network on the validation split, by which points are chosen",
    "dense_validation_metric": "the dense network on the validation split",
    "reference_validation_metric": "the reference on the validation split",
}
METRIC_UNIT = "as metric_unit says; a fraction for %"


def _accuracy(metric: str) -> Column:
    return Column(NUMBER, f"{metric} where that is an accuracy; null for other metrics.", FRACTION)


STATED = {
    "experiment": Column(TEXT, "The name of the report."),
    "model": Column(TEXT, "The id of the model."),
    "dataset": Column(TEXT, "The name of the data set."),
    "layer": Column(TEXT, "The layer that the row is of: a point has a row for each encoded layer and code."),
    "seed": Column(INTEGER, "What initial weights and the order of batches are drawn from."),
    "prune_rate": Column(NUMBER, "The share of the layer's weights that were to be removed, S.", FRACTION),
    "n_in": Column(INTEGER, "The length of a code word.", "bits"),
    "n_out": Column(INTEGER, "The length of a slice, as given or as chosen from the layer's mask.", "signs"),
    "method": Column(TEXT, "How the XOR code's words are searched: minimum or greedy."),
    "patch_format": Column(TEXT, "How the XOR code's patches are stored."),
    "mask_codec": Column(TEXT, "How the mask is stored; null for a code without a mask."),
    "n_weights": Column(INTEGER, "The layer's weights, pruned ones included.", "weights"),
    "dense_accuracy": _accuracy("dense_metric"),
    "quantized_accuracy": _accuracy("quantized_metric"),
    "test_accuracy": _accuracy("test_metric"),
    "code_bits": Column(NUMBER, "Code words; of another code its signs.", BITS),
    "patch_bits": Column(NUMBER, "Patches: which kept signs the code words get wrong.", BITS),
    "index_bits": Column(NUMBER, "The mask.", BITS),
    "scale_bits": Column(NUMBER, "The scales.", BITS),
    "bits_per_weight": Column(
        NUMBER, "The sum of code_bits, patch_bits, index_bits and scale_bits; M is not in it.", BITS
    ),
    "patches_per_slice": Column(NUMBER, "Patches over slices, the mean.", "patches"),
    "lossless": Column(
        BOOLEAN, "Whether the kept signs decode to the quantized ones. False fails the point."
    ),
    "status": Column(TEXT, "ok or failed."),
    "command": Column(TEXT, "The command that runs the point alone."),
    "point": Column(TEXT, "The id of the point: one setting and one seed."),
    "fill": Column(
        NUMBER, "The setting code.fill, from which n_out was computed; null where it was not.", "n_in"
    ),
    "xor_seed": Column(INTEGER, "What the matrix M is drawn from (code.seed)."),
    "xor_sha256": Column(TEXT, "The SHA-256 of M. Rows with the same hash have the same M."),
    "n_slices": Column(INTEGER, "Slices, of all bit planes.", "slices"),
    "n_planes": Column(INTEGER, "Bit planes.", "planes"),
    "n_kept": Column(INTEGER, "Weights that the mask keeps.", "weights"),
    "n_test": Column(INTEGER, "Examples of the test split that was measured on.", "examples"),
    "pruned_accuracy": _accuracy("pruned_metric"),
    "validation_accuracy": _accuracy("validation_metric"),
    "dense_validation_accuracy": _accuracy("dense_validation_metric"),
    "reference_accuracy": _accuracy("reference_metric"),
    "reference_validation_accuracy": _accuracy("reference_validation_metric"),
    "dense_epochs": Column(INTEGER, "Epochs of the dense training.", "epochs"),
    "sign_entropy": Column(
        NUMBER,
        "The entropy of the kept signs where each is plus with its plane's share of pluses. No code without contexts "
        "takes fewer value bits. Null where it was not recorded.",
        BITS,
    ),
    "context_entropy": Column(
        NUMBER,
        "The entropy of the kept signs under the contexts of the code context_signs. Null where it was not recorded.",
        BITS,
    ),
    "epochs": Column(
        INTEGER,
        "Epochs behind the quantized network: of the dense training, all levels of pruning, all rounds of an "
        "approximate mask, and quantized training.",
        "epochs",
    ),
    "slicing": Column(TEXT, "How weights are cut into slices."),
    "quantized": Column(
        TEXT, "The name of the quantized network's artifact: rows that share it differ in coding alone."
    ),
    "n_bounded": Column(
        INTEGER, "Slices whose search was bounded: they may have more patches than needed.", "slices"
    ),
    "kept_score": Column(
        NUMBER,
        "What an approximate mask keeps of the scores that chose it (prune.score), over the largest at its prune rate; "
        "1 for an exact mask.",
        FRACTION,
    ),
    "flipped_signs": Column(
        NUMBER, "The share of the kept signs, of all bit planes, that quantized training changed.", FRACTION
    ),
    "matrix_bits": Column(
        NUMBER,
        "What M adds to bits_per_weight if it is stored for this layer alone: 0 where it is drawn from code.seed when "
        "the file is read.",
        BITS,
    ),
    "file_bytes": Column(
        INTEGER,
        "The whole file: all layers, coded or not, and the header; of a baseline, with every coded layer in its code.",
        "bytes",
    ),
    "file_bits_per_parameter": Column(
        NUMBER,
        "8 file_bytes over the number of all values that the file holds: weights of coded layers, pruned ones "
        "included, and everything else, biases and batch statistics too.",
        "bits per parameter of the model",
    ),
    "logit_difference": Column(
        NUMBER,
        "The largest difference of an output between the decoding and the quantized network.",
        "logits",
    ),
    "wall_seconds": Column(
        NUMBER, "What all stages of the point took, those that other points share included.", "seconds"
    ),
    "finished_at": Column(TEXT, "When the point was done, in UTC.", "ISO 8601"),
    "error": Column(TEXT, "What a failed point says."),
    "commit": Column(TEXT, "The commits that made the point's stages."),
    "device": Column(TEXT, "What the row was made on."),
    "jax_version": Column(TEXT, "The version of jax."),
    "xorjax_version": Column(TEXT, "The version of xorjax."),
    "numpy_version": Column(TEXT, "The version of NumPy."),
    "versions": Column(TEXT, "The versions of all packages of importance, as JSON."),
    "code": Column(TEXT, "The id of the code; with mask_codec, how the layer is stored."),
    "baseline": Column(BOOLEAN, "Whether it is one of the codes shown beside the point's own."),
    "task": Column(TEXT, "The id of the task."),
    "metric": Column(TEXT, "What the task is judged by, such as accuracy."),
    "metric_unit": Column(TEXT, "% for a fraction that readers see in percent, empty for a plain number."),
    "higher_is_better": Column(BOOLEAN, "Whether more of the metric is better."),
    "metric_tolerance": Column(NUMBER, "The loss of the metric that counts as none.", METRIC_UNIT),
    **{name: Column(NUMBER, f"The metric of {_OF[name]}.", METRIC_UNIT) for name in METRICS},
    "value_bits": Column(NUMBER, "The sum of code_bits and patch_bits.", BITS),
    "config": Column(
        pl.Struct([]),
        "Every setting of the point, nested as in conf/: config.prune.rate. A struct in results.parquet, JSON in "
        "results.csv.",
    ),
}
"""The columns in their order."""

DERIVED = ("value_bits",)
"""Those that the tables have and the points' files do not: they follow from others."""

_TYPE_NAMES = {TEXT: "text", INTEGER: "integer", NUMBER: "number", BOOLEAN: "true or false"}
_ABOUT = """\
# The columns of a report

`runs/reports/<report>/results.parquet` and `results.csv` have a row for each encoded layer of each point, and one for
each code beside it (`baseline`). Bits are counted from the bytes written, and are per weight of the layer, pruned
weights included; over several layers, weight them by `n_weights`. A column is empty where it has no meaning for the
row's code, or where the point failed.

This page is made from `xorjax/results/columns.py`: `python -m xorjax.results.columns > docs/columns.md`.

| column | type | unit | what it says |
|---|---|---|---|
"""


def page() -> str:
    """The columns as Markdown."""
    lines = (
        f"| `{name}` | {_TYPE_NAMES.get(own.type, 'struct')} | {own.unit} | {own.about} |\n"
        for name, own in STATED.items()
    )
    return _ABOUT + "".join(lines)


if __name__ == "__main__":
    print(page(), end="")
