"""Claims of README.md: its table of commands and its headline figures."""

from .claim import Claim, Command, Found, Results
from .documents import NUMBER, Sentence, Table, parse
from .greedy import PAPER, widths
from .sweeps import (
    MASKS,
    RATES,
    SMALL,
    SWEEP,
    best,
    encoded,
    mean,
    n_points,
    parts_of_files,
    sweep,
)

README = "README.md"
VARYING = ("wall_seconds", "finished_at", "commit")
SMOKE = sweep("lenet_smoke", 0.6, "+experiment=lenet_smoke")
AGAIN = sweep("lenet_sweep_again", 0.2, "+experiment=lenet_sweep", "lenet_sweep")
WIDER = sweep(
    "lenet_sweep_wider", 2.2, "+experiment=lenet_sweep prune.rate=0.95 seed=0,1,2,3 report=wider", "wider"
)
SINGLE = sweep("single", 0.5, "prune.rate=0.98 code.n_in=32 'freeze=[conv1,conv2]'")
CODEC = Command(
    "codec",
    'python -c "import numpy as np; from xorjax import XorNetwork, encode; rng = np.random.default_rng(0); '
    "bits, care = rng.random((800, 500)) < 0.5, rng.random((800, 500)) < 0.05; "
    "net = XorNetwork.random(n_in=20, n_out=448, seed=0); "
    "print(encode(bits, care, net, method='minimum', patch_format='enumerative').bits_per_weight)\"",
    0.2,
)


def smoke_row(results: Results) -> Found:
    table = results.table(SMOKE)
    bits = mean(encoded(table), "value_bits", prune_rate=0.95, n_in=20)
    return {"+experiment=lenet_smoke": [n_points(table), bits, results.minutes(SMOKE)]}


def sweep_row(results: Results) -> Found:
    table = results.table(SWEEP)
    accuracies = (mean(table, "dense_accuracy"), mean(encoded(table), "test_accuracy", prune_rate=0.95))
    least = best(encoded(table), "bits_per_weight")[RATES.index(0.95)]
    row = [n_points(table), *(100 * share for share in accuracies), least, results.minutes(SWEEP)]
    return {"+experiment=lenet_sweep": row}


def again_row(results: Results) -> Found:
    """Nothing is found if the table is not the same."""
    first, again = (results.table(command).drop(VARYING) for command in (SWEEP, AGAIN))
    return {"the same again": [results.minutes(AGAIN)]} if again.equals(first) else {}


def wider_row(results: Results) -> Found:
    table = results.table(WIDER)
    (trained,) = set(table["seed"]) - set(results.table(SWEEP)["seed"])
    label = "+experiment=lenet_sweep prune.rate=0.95 seed=0,1,2,3 report=wider"
    return {label: [n_points(table), trained, results.minutes(WIDER)]}


def small_row(results: Results) -> Found:
    xor = encoded(results.table(SMALL))
    accuracies = (100 * mean(xor, name) for name in ("test_accuracy", "dense_accuracy"))
    bits = (mean(xor, name) for name in ("bits_per_weight", "file_bits_per_parameter"))
    row = [n_points(xor), *bits, *accuracies, results.minutes(SMALL)]
    return {"+experiment=lenet_small": row}


def masks_row(results: Results) -> Found:
    xor = encoded(results.table(MASKS))
    own = {"prune_rate": 0.95, "mask_codec": "xor"}
    bits, accuracy = (mean(xor, name, **own) for name in ("bits_per_weight", "test_accuracy"))
    return {"+experiment=lenet_masks": [n_points(xor), bits, 100 * accuracy, results.minutes(MASKS)]}


def paper_row(results: Results) -> Found:
    bits = min(widths(results, 20))[0]
    return {"+experiment=lenet_paper": [n_points(results.table(PAPER)), bits, results.minutes(PAPER)]}


def single_row(results: Results) -> Found:
    return {SINGLE.line.removeprefix("python scripts/train.py "): [results.minutes(SINGLE)]}


def codec_bits(results: Results) -> Found:
    return {"": [parse(number) for number in NUMBER.findall(results.output(CODEC))]}


def _row(name: str, find, *commands: Command) -> Claim:
    """A row of README's table of commands, that of the last command."""
    label = commands[-1].line.removeprefix("python scripts/train.py ")
    if commands[-1] is AGAIN:
        label = "the same again"
    return Claim(name, README, Table("commands", rows=(label,)), commands, find)


CLAIMS = (
    _row("readme-smoke", smoke_row, SMOKE),
    _row("readme-sweep", sweep_row, SWEEP),
    _row("readme-again", again_row, SWEEP, AGAIN),
    _row("readme-wider", wider_row, SWEEP, WIDER),
    _row("readme-small", small_row, SWEEP, SMALL),
    _row("readme-masks", masks_row, SWEEP, MASKS),
    _row("readme-paper", paper_row, SWEEP, PAPER),
    _row("readme-single", single_row, SWEEP, SINGLE),
    Claim(
        "readme-parts",
        README,
        Sentence("{} of its {} bits a parameter are the other layers, which stay float32, and {} the header"),
        (SWEEP,),
        parts_of_files,
    ),
    Claim("readme-codec", README, Sentence("# about {}: the values"), (CODEC,), codec_bits),
)
