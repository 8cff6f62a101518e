"""Claims of docs/results.md on the codec, on masks and on AlexNet's layers, from what benchmarks print."""

import re

from .claim import Claim, Command, Found, Results
from .documents import Sentence, Table, label_of, parse
from .printed import numbers_after, numbers_in, python, table_of
from .sweeps import RESULTS, SWEEP

GATES = python(
    "gates",
    0.1,
    '-c "from xorjax import XorNetwork as X; shapes = ((12, 288), (20, 448), (64, 1344), (128, 1312)); '
    'print([(int(X.random(k, n).matrix.sum()) - n, n) for k, n in shapes])"',
)
LIMITS = python("codec_limits", 25, "benchmarks/codec_limits.py --threads 1")
STUDIES = python("figures", 3, "scripts/figures.py --out {runs}/figures --page {runs}/figures")
ALEXNET = python("alexnet", 35, "benchmarks/alexnet.py --masks exact lowrank codebook xor --threads 1")
GET_PLANTS = python("get_plants", 1, "scripts/get_weights.py plants", network=True)
ALEXNET_REAL = python(
    "alexnet_real",
    12,
    "benchmarks/alexnet.py --weights .cache/weights/plants/model.safetensors --layers fc1.weight --masks exact lowrank "
    "codebook xor --threads 1",
)
KEPT = python("masks", 15, "benchmarks/masks.py --runs {runs}")


def gates(results: Results) -> Found:
    """Two-input gates an output of four networks; all gates of the second and third."""
    counts = numbers_in(results.output(GATES))
    all_gates, n_out = counts[::2], counts[1::2]
    each = [gates / outputs for gates, outputs in zip(all_gates, n_out, strict=True)]
    return {"": [each[0], each[1], all_gates[1], each[2], all_gates[2], each[3]]}


def limits_table(results: Results) -> Found:
    """Columns "off" and "patches a slice" are not in the document."""
    found = {}
    for row in table_of(results, LIMITS, "| S | n_in | method"):
        s, n_in, method, n_out, bits, spread, predicted, _, over, _, bounded, goal = row
        goal = "" if method.startswith("greedy") else goal
        found[label_of(s, n_in, method)] = numbers_in(n_out, bits, spread, predicted, over, bounded, goal)
    return found


def prediction(results: Results) -> Found:
    """The largest error of the prediction in %, of which the document gives a limit."""
    off = [abs(parse(row[7].strip("+%"))) for row in table_of(results, LIMITS, "| S | n_in | method")]
    return {"": [0.5 if max(off) <= 0.5 else max(off)]}


def studies_table(results: Results) -> Found:
    rows = table_of(results, STUDIES, "| S | n_in |")
    return {label_of(*row[:2]): numbers_in(*row[2:]) for row in rows}


def kept_table(results: Results) -> Found:
    """The share that each codec keeps at a quarter of the entropy; at S = .98 at .6 of it."""
    found, wanted = {}, {"0.9": 1, "0.95": 1, "0.98": 2}
    for rate, part in re.findall(r"^S=(\S+): H(.+?)(?=^S=|\Z)", results.output(KEPT), re.M | re.S):
        lines = [
            line.rsplit(maxsplit=5)
            for line in part.splitlines()
            if re.match("  (lowrank|codebook|xor)", line)
        ]
        begin = 5 * wanted[rate]
        chosen = [tuple(map(float, line[1:4:2])) for line in lines[begin : begin + 5]]
        least, most = (end(bits for bits, _ in chosen) for end in (min, max))
        ends = [least] if round(least, 3) == round(most, 3) else [least, most]
        found[label_of(rate)] = [*ends, *(share for _, share in chosen)]
    return found


def _alexnet(
    results: Results, command: Command = ALEXNET
) -> dict[str, dict[tuple[str, str], tuple[float, float, float]]]:
    """Mask -> (n_in, method and format) -> index bits, value bits, total."""
    found: dict[str, dict] = {}
    for mask, n_in, method, _, *bits in table_of(results, command, "| mask | n_in"):
        found.setdefault(mask, {})[n_in, method] = tuple(map(float, bits))
    return found


def alexnet_table(results: Results) -> Found:
    labels = {
        "exact": "exact, ans_rc (entropy .437)",
        "lowrank": "lowrank, rank 6 in tiles of 68x68",
        "codebook": "codebook",
        "xor": "xor",
    }
    found = {}
    for mask, codes in _alexnet(results).items():
        scores = re.findall(rf"^  {mask}: .*kept score ([\d.]+)", results.output(ALEXNET), re.M)
        first, second = map(float, scores)
        kept = (9216 * first + 4096 * second) / (9216 + 4096)
        values = [value for _, value, _ in sorted_codes(codes)]
        found[labels[mask]] = [
            kept,
            codes["64", "greedy, paper"][0],
            *values,
            min(t for _, _, t in codes.values()),
        ]
    return found


def alexnet_real(results: Results) -> Found:
    plain = {
        (code, mask.removesuffix(", ans_rc")): parse(total)
        for code, mask, _, _, total, _ in table_of(results, ALEXNET_REAL, "| plain code")
    }
    labels = {"exact": "exact, ans_rc", "lowrank": "lowrank, rank 6 in tiles of 68x68"}
    found = {}
    for mask, codes in _alexnet(results, ALEXNET_REAL).items():
        kept = re.findall(rf"^  {mask}: .*kept score ([\d.]+)", results.output(ALEXNET_REAL), re.M)
        found[labels.get(mask, mask)] = [
            float(kept[0]),
            codes["64", "greedy, paper"][0],
            *(value for _, value, _ in sorted_codes(codes)),
            min(total for _, _, total in codes.values()),
            plain["signs", mask],
            plain["context_signs", mask],
        ]
    return found


def _kept(results: Results, command: Command) -> dict[str, float]:
    """Of each approximate mask what it keeps of the magnitude, the least over the layers."""
    found: dict[str, float] = {}
    for mask, share in re.findall(r"^  (\w+): .*kept score ([\d.]+)", results.output(command), re.M):
        if mask != "exact":
            found[mask] = min(found.get(mask, 1.0), float(share))
    return found


def alexnet_structure(results: Results) -> Found:
    """Spreads of rows and columns, and by chance; index bits of the exact mask and the most kept, real and random."""
    _, rows, by_chance, columns, columns_by_chance, *_ = numbers_after(
        results, ALEXNET_REAL, "magnitude mask: density of rows"
    )
    real, random = (_alexnet(results, command)["exact"] for command in (ALEXNET_REAL, ALEXNET))
    index = [codes["64", "greedy, paper"][0] for codes in (real, random)]
    kept = [max(_kept(results, command).values()) for command in (ALEXNET_REAL, ALEXNET)]
    return {"": [rows, columns, by_chance, columns_by_chance, *index, *kept]}


def alexnet_signs(results: Results) -> Found:
    return {"": numbers_after(results, ALEXNET_REAL, "kept signs:")}


def sorted_codes(
    codes: dict[tuple[str, str], tuple[float, float, float]],
) -> list[tuple[float, float, float]]:
    """By method and format as the document has them, n_in = 64 before 128."""
    methods = ("greedy, paper", "minimum, care", "minimum, enumerative")
    return [codes[n_in, method] for method in methods for n_in in ("64", "128")]


def alexnet_lowrank(results: Results) -> Found:
    codes = _alexnet(results)["lowrank"]
    methods = ("minimum, enumerative", "greedy, paper")
    return {"": [codes[n_in, method][2] for method in methods for n_in in ("64", "128")]}


def alexnet_signs_alone(results: Results) -> Found:
    totals = {
        mask: float(total)
        for code, mask, _, _, total, _ in table_of(results, ALEXNET, "| plain code")
        if code == "signs"
    }
    return {"": [totals["exact, ans_rc"], totals["xor"]]}


def alexnet_minutes(results: Results) -> Found:
    return {"": [results.minutes(ALEXNET)]}


CLAIMS = (
    Claim(
        "gates",
        RESULTS,
        Sentence(
            "{} two-input XOR gates an output at 12 → 288, {} at 20 → 448 ({} in all), {} at 64 → 1344 ({}) and {} at "
            "128 → 1312"
        ),
        (GATES,),
        gates,
    ),
    Claim("masks-kept", RESULTS, Table("masks-kept"), (SWEEP, KEPT), kept_table),
    Claim("limits", RESULTS, Table("limits", 3), (LIMITS,), limits_table),
    Claim(
        "limits-prediction",
        RESULTS,
        Sentence("The prediction is within {} % on all of these"),
        (LIMITS,),
        prediction,
    ),
    Claim("studies", RESULTS, Table("studies", 2), (STUDIES,), studies_table),
    Claim("alexnet", RESULTS, Table("alexnet"), (ALEXNET,), alexnet_table),
    Claim(
        "alexnet-lowrank",
        RESULTS,
        Sentence("patches give {} (n_in=64) and {} (128), greedy patches in the paper's format {} and {}."),
        (ALEXNET,),
        alexnet_lowrank,
    ),
    Claim(
        "alexnet-signs-alone",
        RESULTS,
        Sentence("smaller still: {} with the exact one, {} with `xor`"),
        (ALEXNET,),
        alexnet_signs_alone,
    ),
    Claim("alexnet-real", RESULTS, Table("alexnet-real"), (GET_PLANTS, ALEXNET_REAL), alexnet_real),
    Claim(
        "alexnet-structure",
        RESULTS,
        Sentence(
            "the densities of rows have a standard deviation of {} and of columns of {}, where chance has {} and {}, "
            "so that the exact mask takes {} in place of {} bits, and the best masks keep {} of the magnitude in place "
            "of {}"
        ),
        (GET_PLANTS, ALEXNET_REAL, ALEXNET),
        alexnet_structure,
    ),
    Claim(
        "alexnet-signs",
        RESULTS,
        Sentence("{} are plus, an entropy of {} bits each and {} in contexts"),
        (GET_PLANTS, ALEXNET_REAL),
        alexnet_signs,
    ),
    Claim(
        "alexnet-minutes",
        RESULTS,
        Sentence("{} minutes on one thread of a loaded machine"),
        (ALEXNET,),
        alexnet_minutes,
    ),
)
