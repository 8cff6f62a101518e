"""What scripts/reproduce.py claims of the two documents; nothing heavy is run."""

import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "scripts"))

import reproduce  # noqa: E402
from claims import codec, pretrained, speed, sweeps  # noqa: E402
from claims.claim import Claim, Command, Loose, NotMeasuredError, Results, agrees, compare  # noqa: E402
from claims.documents import (  # noqa: E402
    NUMBER,
    PlaceError,
    Sentence,
    Table,
    anchors,
    body,
    find,
    parse,
    read,
    table_after,
    tables,
)
from claims.excused import EXCUSES  # noqa: E402

from xorjax.results.rows import COLUMNS, to_frame  # noqa: E402

DOCUMENTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("docs/results.md", "README.md")}
PLACES = [(thing.document, thing.place) for thing in (*reproduce.CLAIMS, *EXCUSES)]


@pytest.mark.parametrize(("document", "place"), PLACES, ids=str)
def test_every_place_is_in_its_document(document, place):
    cells = read(DOCUMENTS[document], place)
    assert all(cells) or isinstance(place, Sentence)


def test_names_are_given_once():
    names = Counter(claim.name for claim in reproduce.CLAIMS)
    assert max(names.values()) == 1
    commands = {command for claim in reproduce.CLAIMS for command in claim.commands}
    assert len({command.name for command in commands}) == len(commands)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_row_of_every_table_of_numbers_is_in_one_claim_or_excuse(document):
    text, wanted = DOCUMENTS[document], {}
    for above, *lines in tables(text):
        if any(NUMBER.search(cell) for row in body(lines) for cell in row[1:]):
            assert re.fullmatch("<!-- figures: .+ -->", above), f"no anchor above {lines[0]}"
            name = anchors(above)[0]
            wanted[name] = len(table_after(text, name))
    places = [place for of, place in PLACES if of == document and isinstance(place, Table)]
    assert wanted.keys() == {place.anchor for place in places} == set(anchors(text))
    for name, n_rows in wanted.items():
        rows = Counter(row for place in places if place.anchor == name for row in read(text, place))
        assert set(rows.values()) == {1}, f"{name}: twice"
        assert len(rows) == n_rows, f"{name}: rows in no claim and no excuse"


def sentences(text):
    """Where each sentence of prose begins and ends; tables, code and headings are none."""
    for block in re.finditer(r"(?:^(?!\||    |<!--|#|!|\s*$).*\n?)+", text, re.M):
        begin = block.start()
        for stop in [*re.finditer(r"[.;:]\)?\*{0,2}\s+(?=\S)", block[0]), None]:
            end = block.end() if stop is None else block.start() + stop.end()
            yield begin, end
            begin = end


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_sentence_with_figures_is_claimed_or_excused(document):
    text = DOCUMENTS[document]
    quoted = [
        find(text, place).span() for of, place in PLACES if of == document and isinstance(place, Sentence)
    ]
    silent = []
    for begin, end in sentences(text):
        own = text[begin:end]
        figures = [
            number
            for number in NUMBER.finditer(own)
            if "." in number[0] or re.match(r" (?:%|(?:pp|MB|s)\b)", own[number.end() :])
        ]
        if figures and not any(first < end and begin < last for first, last in quoted):
            silent.append(own)
    assert not silent


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_sentence_is_in_two_claims(document):
    spans = sorted(
        find(DOCUMENTS[document], claim.place).span()
        for claim in reproduce.CLAIMS
        if claim.document == document and isinstance(claim.place, Sentence)
    )
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


@pytest.mark.parametrize("claim", reproduce.CLAIMS, ids=lambda claim: claim.name)
def test_a_changed_digit_is_found_in_every_claim(claim):
    """As if the documented numbers were those that are found."""
    text = DOCUMENTS[claim.document]
    cells = read(text, claim.place)
    found = {label: [parse(number) for number in numbers] for label, numbers in cells.items()}
    same = Claim(claim.name, claim.document, claim.place, (), lambda _: found)
    assert compare(same, text, Results(Path())).differences == []
    for label, numbers in cells.items():
        for number in numbers:
            for i, digit in enumerate(number):
                if digit.isdigit():
                    wrong = number[:i] + str((int(digit) + 1) % 10) + number[i + 1 :]
                    assert not agrees(wrong, parse(number)), (label, number, wrong)


def rows_of_small():
    """Five seeds of `lenet_small`: .1 to .14 index bits, .05 value bits, accuracies that fall by a hundredth."""
    row = dict.fromkeys(COLUMNS)
    for seed in range(5):
        common = row | {"seed": seed, "status": "ok", "prune_rate": 0.93}
        common |= {"dense_accuracy": 0.99, "reference_accuracy": 0.99}
        bits = {"code_bits": 0.04, "patch_bits": 0.01, "index_bits": 0.1 + seed / 100, "scale_bits": 0.001}
        yield (
            common
            | bits
            | {
                "baseline": False,
                "code": "xor",
                "n_in": 96,
                "test_accuracy": 0.98 - seed / 100,
                "bits_per_weight": sum(bits.values()),
                "point": f"seed{seed}",
                "file_bits_per_parameter": 2.46,
            }
        )
        rival = {"baseline": True, "code": "signs", "mask_codec": "ans_rc"}
        yield common | rival | {"bits_per_weight": 0.2 + seed / 100}


SMALL = """Text.

<!-- figures: small -->
| seed | dense % | test % | less than dense, pp | index bits | value bits | total |
|---|---|---|---|---|---|---|
| 0 | 99.00 | 98.00 | 1.00 | .1000 | .0500 | .1510 |
| 3 | 99.00 | 95.00 | 4.00 | .1300 | .0500 | .1810 |
| mean of 0 to 2 | 99.00 | 97.00 | 2.00 | .1100 | .0500 | .1610 |
| mean of 5 | 99.00 | 96.00 | **3.00** | .1200 | .0500 | **.1710** |

One seed is 5.00 below dense; the sample standard deviation is
1.58 pp. The whole file takes 2.46 bits a parameter. The same mask with packed signs takes .220.
"""


@pytest.fixture
def results(tmp_path):
    left = tmp_path / "reports" / "lenet_small" / "results.parquet"
    left.parent.mkdir(parents=True)
    to_frame(list(rows_of_small())).write_parquet(left)
    return Results(tmp_path)


@pytest.mark.parametrize("name", ["small", "small-spread", "small-others"])
def test_figures_are_taken_from_the_table_of_a_sweep(results, name):
    (claim,) = (claim for claim in sweeps.CLAIMS if claim.name == name)
    outcome = compare(claim, SMALL, results)
    assert outcome.differences == []
    assert outcome.n_numbers == {"small": 24, "small-spread": 2, "small-others": 2}[name]
    for number in {number for numbers in read(SMALL, claim.place).values() for number in numbers}:
        wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
        changed = re.sub(rf"(?<=[ *\n]){re.escape(number)}(?!\d)", wrong, SMALL)
        assert compare(claim, changed, results).differences, number


def test_a_row_that_nothing_is_found_for_is_a_difference(results):
    (claim,) = (claim for claim in sweeps.CLAIMS if claim.name == "small")
    outcome = compare(claim, SMALL.replace("| 3 |", "| 7 |"), results)
    assert outcome.differences == ["row '7': nothing was found for it"]


def test_a_table_and_a_sentence_that_are_gone_are_named():
    for place, message in (
        (Table("large"), "0 tables after <!-- figures: large -->"),
        (Table("small", rows=("9",)), "the table 'small' has no row '9', only 0, 3"),
        (Sentence("Two seeds are {} off"), "0 times in the document"),
    ):
        with pytest.raises(PlaceError, match=message):
            read(SMALL, place)


def test_settings_are_no_figures():
    line = "LeNet-5 at S=.95, 9216x4096, Python 3.11.7: 1,090 of 2 take -.02 ± 1.1e9, .5 %, FC1, 3."
    assert NUMBER.findall(line) == ["1,090", "2", "-.02", "1.1e9", ".5", "3"]


@pytest.mark.parametrize(
    ("number", "value", "agree"),
    [
        (".1310", 0.13104, True),
        (".1310", 0.13106, False),
        ("9,855", 9855.4, True),
        ("17.7", Loose(25.0, 1.5), True),
        ("17.7", Loose(27.0, 1.5), False),
        ("17.7", Loose(11.0, 1.5), False),
        ("9", Loose(500.0), True),
    ],
)
def test_numbers_agree_to_the_digits_printed_or_within_a_factor(number, value, agree):
    assert agrees(number, value) == agree


def record(results, command, output):
    results.kept.mkdir(exist_ok=True)
    text = {"line": command.line, "seconds": 60.0, "output": output}
    (results.kept / f"{command.name}.json").write_text(reproduce.json.dumps(text))


MASKS = """lenet5, fc1/kernel, 800 x 500

S=0.95: H(S) = 0.2864 bits/weight
  codec     method                        bits of H(S)  share    rate seconds
  ans_rc    exact                       0.2637    0.92 1.0000 0.95000     0.0
""" + "".join(
    f"  {codec:9} {'some method':26} {bits:7.4f}    0.25 {share:6.4f} 0.95000     1.0\n"
    for share, bits in ((0.1, 0.04), (0.5, 0.071), (0.9, 0.17))
    for codec in ("lowrank", "lowrank", "codebook", "codebook", "xor")
)


def test_figures_are_taken_from_what_benchmarks_print(results):
    record(results, codec.KEPT, MASKS)
    assert codec.kept_table(results) == {"0.95": [0.071, *[0.5] * 5]}
    record(
        results,
        pretrained.MINILM,
        "36 matrices, 10 weights; 40 sentences\nas published: 39 found, mean cosine\n"
        "with zeros for the matrices: cosine 0.21, 14 found\n\n| mask codec | S |\n|---|---|\n"
        "| ans_rc | 0.5 | 1 | 0.5000 | 0.0456 | 0.9753 | 0.0625 | 1.5834 | 20.2 | 0.464 | 0.493 | 0.9 | 0.492 | 0.1 "
        "| 32 | 0.754, 36 | 20 | 310 |\n",
    )
    (row,) = pretrained.minilm_table(pretrained.MINILM)(results).items()
    values, *others = row[1]
    assert row[0] == "ans_rc | 0.5 | 1"
    assert agrees(".5456", values)
    assert others == [0.9753, 0.0625, 1.5834, 0.464, 0.493, 0.492, 32, 0.754, 36]
    assert pretrained.minilm_untouched(results) == {"": [39, 40, 0.21, 14]}
    record(
        results,
        speed.ENCODE,
        "greedy: 300 million w/s\ngalois / greedy, times: 9.8 (rounds 8 to 11)\n"
        "greedy / minimum, times: .9 (rounds .8 to 1)\n",
    )
    rounds = speed.encoder_speed(results)
    assert [[loose.number for loose in row] for row in rounds.values()] == [
        [9.8, 8, 11],
        [3e8],
        [0.9, 0.8, 1],
    ]


def test_a_time_that_is_not_known_is_neither_right_nor_wrong(results):
    (claim,) = (claim for claim in codec.CLAIMS if claim.name == "alexnet-minutes")
    with pytest.raises(NotMeasuredError, match="not run here"):
        compare(claim, DOCUMENTS[claim.document], results)
    record(results, codec.ALEXNET, "")
    assert compare(claim, DOCUMENTS[claim.document], results).reported[0].endswith("found 1")


def claim_of(*commands):
    found = lambda results: {"": [float(results.output(commands[-1]))]}  # noqa: E731
    return Claim("one", "README.md", Sentence("# about {}: the values"), commands, found)


def test_a_command_is_run_once_and_its_record_kept(tmp_path, capsys):
    counted = Command("count", f"""python -c "open('{tmp_path}/n', 'a').write('x'); print('.057')" """, 0.1)
    for _ in range(2):
        runner = reproduce.Runner(tmp_path / "runs", as_is=False)
        assert reproduce.check(claim_of(counted), runner) == "ok"
    assert (tmp_path / "n").read_text() == "x"
    assert runner.minutes(claim_of(counted)) == 0
    assert capsys.readouterr().out.count("running") == 1


def test_the_table_of_a_command_is_kept_when_another_writes_in_its_place(tmp_path):
    commands = []
    for n, name in enumerate(("first", "second")):
        code = (
            "import os, polars, pathlib; p = pathlib.Path(os.environ['XORJAX_RUNS'], 'reports', 'both'); "
            f"p.mkdir(parents=True, exist_ok=True); bits = dict(code_bits=[{n}], patch_bits=[.5], status=['ok']); "
            "polars.DataFrame(bits).write_parquet(p / 'results.parquet')"
        )
        commands.append(Command(name, f'python -c "{code}"', 1, experiment="both"))
    runner = reproduce.Runner(tmp_path, as_is=False)
    for command in commands:
        runner.run(command)
    assert [runner.results.table(command)["value_bits"].item() for command in commands] == [0.5, 1.5]


def test_what_cannot_be_measured_here_says_why_and_what_fails_is_told(tmp_path, capsys):
    runner = reproduce.Runner(tmp_path, as_is=False)
    for command, verdict, message in (
        (
            Command("torchless", "python -c 1", 1, module="no_such_module"),
            "not measured",
            "no_such_module is not",
        ),
        (Command("offline", "python -c 'raise OSError(7)'", 1, network=True), "not measured", "OSError: 7"),
        (Command("broken", "python -c 'raise OSError(8)'", 1), "failed", "broken failed: OSError: 8"),
        (Command("other", "python -c 'print(.058)'", 1), "differs", "documented .057, found .05800"),
    ):
        assert reproduce.check(claim_of(command), runner) == verdict
        assert message.replace("found .0", "found 0.0") in capsys.readouterr().out
    assert reproduce.check(claim_of(command), reproduce.Runner(tmp_path / "no", as_is=True)) == "not measured"


def test_the_list_runs_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reproduce.subprocess, "run", None)
    assert reproduce.main(["--list", "--runs", str(tmp_path / "runs")]) == 0
    listed = capsys.readouterr().out
    assert "python benchmarks/codec_limits.py" in listed
    assert all(claim.name in listed for claim in reproduce.CLAIMS)
    assert "not made again" in listed
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--only", "small"], 1)])
def test_the_exit_code_tells_a_difference(results, monkeypatch, arguments, code):
    monkeypatch.setattr(reproduce, "CLAIMS", [claim for claim in sweeps.CLAIMS if claim.name == "sweep"])
    if arguments:
        monkeypatch.setattr(reproduce, "CLAIMS", sweeps.CLAIMS)
    assert reproduce.main([*arguments, "--runs", str(results.runs), "--as-is"]) == code
