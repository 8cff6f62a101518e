"""Claims of docs/results.md on the paper's encoder and the first release's, from the tables of sweeps."""

from .claim import Claim, Found, Results
from .documents import Sentence, Table, label_of
from .sweeps import RATES, RESULTS, SWEEP, deviation, encoded, mean, sweep

PAPER = sweep("lenet_paper", 4, "+experiment=lenet_paper")
FIRST_RELEASE = sweep(
    "first_release",
    8,
    "+experiment=lenet_sweep code.method=greedy code.patch_format=blocked code.slicing=row_major,interleaved "
    "code.n_in=20,32 code.fill=0.75,0.85",
    "lenet_sweep",
)
WIDTHS = (300, 320, 330, 340, 350, 360)
GREEDY_WIDTHS = sweep(
    "greedy_widths",
    8,
    "+experiment=lenet_sweep prune.rate=0.95 code.method=greedy code.patch_format=paper,blocked "
    f"code.slicing=row_major,interleaved code.n_in=20 code.n_out={','.join(map(str, WIDTHS))}",
    "lenet_sweep",
)


def widths(results: Results, n_in: int) -> list[tuple[float, int, float]]:
    """Value bits, n_out and total of the paper's encoder, n_out by n_out."""
    xor = encoded(results.table(PAPER), n_in=n_in)
    return [
        (mean(xor, "value_bits", n_out=n_out), n_out, mean(xor, "bits_per_weight", n_out=n_out))
        for n_out in sorted(xor["n_out"].unique())
    ]


def paper_table(results: Results) -> Found:
    found = {}
    for n_in in (12, 20, 40, 60):
        found[label_of(n_in)] = list(min(widths(results, n_in)))
        if n_in in (12, 20):
            own = {"prune_rate": 0.95, "n_in": n_in, "patch_format": "enumerative"}
            found[label_of(n_in)].append(mean(results.table(SWEEP), "value_bits", **own))
    return found


def paper_accuracy(results: Results) -> Found:
    table = results.table(PAPER)
    dense, binarized = (100 * mean(table, name) for name in ("dense_accuracy", "test_accuracy"))
    return {"": [dense, binarized, 100 * deviation(table, "test_accuracy")]}


def slicings_table(results: Results) -> Found:
    xor = encoded(results.table(FIRST_RELEASE), fill=0.85)
    found = {}
    for rate, n_in, n_out in ((0.9, 20, 170), (0.95, 20, 340), (0.95, 32, 544), (0.98, 20, 850)):
        label = f"{rate:.2f}, {n_in}, {n_out}".removeprefix("0")
        own = {"prune_rate": rate, "n_in": n_in, "n_out": n_out}
        found[label] = [
            mean(xor, column, slicing=slicing, **own)
            for slicing in ("row_major", "interleaved")
            for column in ("value_bits", "patches_per_slice")
        ]
    return found


def first_release(results: Results) -> Found:
    """The fewest value bits of two n_out, for three prune rates at n_in = 32 and then at 20."""
    xor = encoded(results.table(FIRST_RELEASE), slicing="interleaved")
    return {
        "": [
            min(mean(xor, "value_bits", prune_rate=rate, n_in=n_in, fill=fill) for fill in (0.75, 0.85))
            for n_in in (32, 20)
            for rate in RATES
        ]
    }


def widths_table(results: Results) -> Found:
    xor = encoded(results.table(GREEDY_WIDTHS))
    names = {"paper": "paper (one width)", "blocked": "blocked (16)"}
    return {
        f"{name}, {slicing}": [
            mean(xor, "value_bits", patch_format=patch_format, slicing=slicing, n_out=n_out)
            for n_out in WIDTHS
        ]
        for patch_format, name in names.items()
        for slicing in ("row_major", "interleaved")
    }


CLAIMS = (
    Claim(
        "first-release",
        RESULTS,
        Sentence("took {}, {} and {} value bits at n_in=32 and {}, {} and {} at n_in=20"),
        (SWEEP, FIRST_RELEASE),
        first_release,
    ),
    Claim("paper", RESULTS, Table("paper"), (SWEEP, PAPER), paper_table),
    Claim(
        "paper-accuracy",
        RESULTS,
        Sentence("dense {} %, binarized {} %, sample standard deviation of the latter {} pp"),
        (SWEEP, PAPER),
        paper_accuracy,
    ),
    Claim("slicings", RESULTS, Table("slicings"), (SWEEP, FIRST_RELEASE), slicings_table),
    Claim("greedy-widths", RESULTS, Table("greedy-widths"), (SWEEP, GREEDY_WIDTHS), widths_table),
)
