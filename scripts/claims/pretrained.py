"""Claims of docs/results.md on pretrained networks, from what benchmarks and `xorjax compress` print."""

import json

from .claim import Claim, Command, Found, Loose, Results
from .documents import Sentence, Table, label_of
from .printed import numbers_after, numbers_in, python, table_of
from .sweeps import RESULTS

GET_MINILM = python("get_minilm", 0.5, "scripts/get_weights.py minilm", network=True)
GET_RESNET = python("get_resnet50", 1, "scripts/get_weights.py resnet50", network=True)
MINILM = python("minilm", 8, "benchmarks/pretrained.py")
MINILM_03 = python("minilm_0.3", 6, "benchmarks/pretrained.py --prune-rates 0.3 --planes 2 3 4")
MINILM_04 = python("minilm_0.4", 3, "benchmarks/pretrained.py --prune-rates 0.4 --planes 2")
MINILM_CODEBOOK = python(
    "minilm_codebook", 6, "benchmarks/pretrained.py --mask-codecs codebook --prune-rates 0.5 --planes 1"
)
RESNET = python(
    "resnet50",
    1.5,
    "-m xorjax.cli compress .cache/weights/resnet50/model.safetensors {runs}/resnet50.xorjax --layers '*/kernel' "
    "--prune-rate 0.9 --n-in 64 --slicing interleaved --force --json",
)


def minilm_table(*commands: Command):
    def find(results: Results) -> Found:
        found = {}
        for command in commands:
            for row in table_of(results, command, "| mask codec"):
                mask, rate, planes, code, patch, index, scale, total = row[:8]
                mask = "none, planes alone" if mask == "none" else mask
                values = Loose(float(code) + float(patch), 1.001)  # a sum of two rounded ones
                errors, cosine, n_found, pruned = row[9:11], row[12], row[14], row[15]
                found[label_of(mask, rate, planes)] = [
                    values,
                    *numbers_in(index, scale, total, *errors, cosine, n_found, pruned),
                ]
        return found

    return find


def minilm_untouched(results: Results) -> Found:
    n_found = numbers_after(results, MINILM, "as published:")[0]
    n_sentences = numbers_after(results, MINILM, "weights;")[0]
    return {"": [n_found, n_sentences, *numbers_after(results, MINILM, "with zeros for the matrices:")]}


def minilm_whole(results: Results) -> Found:
    """Bits a weight of the smallest one in which no sentence is lost."""
    row = minilm_table(MINILM_04)(results)[label_of("ans_rc", 0.4, 2)]
    return {"": [row[3]]}


def codebook_seconds(results: Results) -> Found:
    (row,) = (row for row in table_of(results, MINILM_CODEBOOK, "| mask codec") if row[0] == "codebook")
    return {"": [Loose(float(row[16]))]}


def resnet(results: Results) -> Found:
    """MB before and after, bits a weight, the least and the largest error of a layer; seconds."""
    answer = json.loads(results.output(RESNET))
    errors = [layer["relative_error"] for layer in answer["layers"]]
    seconds = Loose(60 * results.minutes(RESNET).number)
    sizes = [answer[name] / 1e6 for name in ("input_bytes", "file_bytes")]
    return {"": [*sizes, answer["totals"]["bits_per_weight"], min(errors), max(errors), seconds]}


def _minilm_rows(*labels: tuple[str, float, int]) -> Table:
    return Table("minilm", 3, tuple(label_of(*label) for label in labels))


CLAIMS = (
    Claim(
        "minilm",
        RESULTS,
        _minilm_rows(
            ("none, planes alone", 0, 2),
            *(("ans_rc", rate, planes) for rate, planes in ((0.5, 2), (0.5, 1), (0.7, 2), (0.9, 1))),
        ),
        (GET_MINILM, MINILM),
        minilm_table(MINILM),
    ),
    Claim(
        "minilm-0.3",
        RESULTS,
        _minilm_rows(
            ("none, planes alone", 0, 3), ("none, planes alone", 0, 4), ("ans_rc", 0.3, 4), ("ans_rc", 0.3, 2)
        ),
        (GET_MINILM, MINILM_03),
        minilm_table(MINILM_03),
    ),
    Claim(
        "minilm-0.4",
        RESULTS,
        _minilm_rows(("ans_rc", 0.4, 2)),
        (GET_MINILM, MINILM_04),
        minilm_table(MINILM_04),
    ),
    Claim(
        "minilm-codebook",
        RESULTS,
        _minilm_rows(("codebook", 0.5, 1)),
        (GET_MINILM, MINILM_CODEBOOK),
        minilm_table(MINILM_CODEBOOK),
    ),
    Claim(
        "minilm-untouched",
        RESULTS,
        Sentence("(uncompressed: {} of {}; with zeros for all 36 matrices: cosine {}, {} found)"),
        (GET_MINILM, MINILM),
        minilm_untouched,
    ),
    Claim(
        "minilm-whole",
        RESULTS,
        Sentence("No sentence is lost down to {} bits a weight"),
        (GET_MINILM, MINILM_04),
        minilm_whole,
    ),
    Claim(
        "minilm-codebook-seconds",
        RESULTS,
        Sentence("`codebook` {} s."),
        (GET_MINILM, MINILM_CODEBOOK),
        codebook_seconds,
    ),
    Claim(
        "resnet50",
        RESULTS,
        Sentence("{} MB to {} MB, {} bits a weight, weights' error {} to {}, {} s"),
        (GET_RESNET, RESNET),
        resnet,
    ),
)
