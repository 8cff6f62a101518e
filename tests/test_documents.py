"""README.md and docs/results.md say what their tables do, and a table that is made again is compared cell by cell."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "scripts"))

import reproduce  # noqa: E402
from documents import figures, measured  # noqa: E402
from documents.measured import SETTINGS, TABLES, Measured, Source, agrees, differences, of_sweep, written  # noqa: E402
from documents.sources import SOURCES  # noqa: E402

import docs  # noqa: E402
from xorjax.results.rows import COLUMNS, to_frame  # noqa: E402

NAMES = sorted(path.stem for path in TABLES.glob("*.csv"))
SOURCE_FILES = {path.name: path.read_text() for path in docs.FOLDER.iterdir()}


@pytest.fixture
def tables(monkeypatch, tmp_path):
    """A copy of the tables, which the documents are rendered from."""
    for path in TABLES.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for module in (measured, reproduce):
        monkeypatch.setattr(module, "TABLES", tmp_path)
    figures.table.cache_clear()
    yield tmp_path
    figures.table.cache_clear()


def test_a_figure_that_changes_changes_its_documents(tables, tmp_path, monkeypatch, capsys):
    """And `make docs` writes what changed."""
    assert docs.main(["--check"]) == 0, "run make docs"
    table = tables / "lenet_headline.csv"
    kept = Measured.read("lenet_headline")
    table.write_text(Measured(kept.origin, kept.cells.with_columns(patch_bits=pl.lit("0.9"))).text())
    figures.table.cache_clear()
    document = tmp_path / "results.md"
    document.write_bytes(docs.DOCUMENTS["results.md"].read_bytes())
    monkeypatch.setattr(docs, "DOCUMENTS", {"results.md": document})
    before = document.read_bytes()
    assert docs.main(["--check"]) == 1
    assert before == document.read_bytes()
    assert "-| values, XOR code" in capsys.readouterr().out
    assert docs.main([]) == docs.main(["--check"]) == 0
    assert before != document.read_bytes()


def test_a_table_without_what_a_document_says_of_it_is_refused(tables):
    table = tables / "lenet_headline.csv"
    table.write_text(re.sub(r"^.*,0\.95,.*\n", "", table.read_text(), flags=re.M))
    figures.table.cache_clear()
    with pytest.raises(LookupError, match=r"no row with .*0\.95"):
        docs.render("README.md")


@pytest.mark.parametrize("name", NAMES)
def test_a_table_says_where_it_is_from_is_used_and_is_read_as_it_is_written(name):
    table = Measured.read(name)
    assert {"command", "commit", "versions", "machine"} <= table.origin.keys()
    assert f'table("{name}")' in "".join(SOURCE_FILES.values())
    assert table.text() == (TABLES / f"{name}.csv").read_text()


@pytest.mark.parametrize("name", [*SOURCES, "front", "front_mnist", "flexor_lenet"])
def test_the_keys_of_a_source_tell_the_rows_of_its_table(name):
    table = Measured.read(name)
    keys = SOURCES[name].keys if name in SOURCES else SETTINGS
    assert len(table.by_key(keys)) == table.cells.height > 0
    with pytest.raises(ValueError, match="rows with the same"):
        replace(table, cells=table.cells.vstack(table.cells[:1])).by_key(keys)


@pytest.mark.parametrize(
    ("dataset", "metrics", "lost"),
    [("mnist", (0.99, 0.98, 0.975), (0.5, 1.5)), ("ptb", (86.0, 84.0, 88.5), (4.5, 2.5))],
)
def test_a_loss_goes_by_the_metric(dataset, metrics, lost):
    """Of accuracies in percentage points, of perplexities the other way round and as they are."""
    dense, reference, tested = metrics
    columns = {"dense_metric": dense, "reference_metric": reference, "test_metric": tested}
    rows = figures.Rows(pl.DataFrame({"dataset": dataset, "seed": 0, "n_weights": 10, **columns}))
    assert (rows.loss(), rows.loss("dense")) == pytest.approx(lost)


def test_no_document_has_a_number_without_its_zero():
    for text in SOURCE_FILES.values():
        prose = re.sub(r"`[^`]*`|\S+/\S+", "", re.sub(r"\{[{%].*?[%}]\}", "", text))
        assert not re.findall(r"(?<![\w.])\.\d+", prose)


# Comparing


@given(st.floats(1e-6, 1e6), st.integers(0, 5))
def test_a_figure_agrees_with_itself_rounded(value, digits):
    assert agrees(f"{value:.{digits}f}", repr(value), 1)
    # At a tie of the seventh digit two figures that differ in the last bit are written differently; all others are not.
    assert agrees(written(value), written(float(written(value)) * (1 + 1e-9)), 1)


@pytest.mark.parametrize(
    ("kept", "new", "factor", "same"),
    [
        *(
            ("0.1310", "0.13104", 1, True),
            ("0.1310", "0.13106", 1, False),
            ("1.09e+09", "1094000000", 1, True),
        ),
        *(("17.7", "30", 2, True), ("17.7", "36", 2, False), ("17.7", "3600", float("inf"), True)),
        *(("care", "care", 1, True), ("care", "paper", 2, False), ("", "", 1, True), ("", "1", 1, False)),
    ],
)
def test_what_agrees(kept, new, factor, same):
    assert agrees(kept, new, factor) is same


def of(*rows):
    return Measured.of({"command": "x"}, rows)


KEPT = of({"n_in": 20, "bits": 0.25, "seconds": 2.0}, {"n_in": 64, "bits": 0.5, "seconds": 2.0})


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"n_in": 64, "bits": 0.5, "seconds": 3.0}, {"n_in": 20, "bits": 0.25, "seconds": 1.5}], []),
        (
            [{"n_in": 64, "bits": 0.75, "seconds": 3.0}, {"n_in": 20, "bits": 0.25, "seconds": 9.0}],
            ["n_in=20: seconds is 9, in the table 2", "n_in=64: bits is 0.75, in the table 0.5"],
        ),
        (
            [{"n_in": 20, "bits": 0.25, "seconds": 2.0}, {"n_in": 12, "bits": 0.25, "seconds": 2.0}],
            ["not found again: n_in=64", "not in the table: n_in=12"],
        ),
        ([{"n_in": 20, "total": 1, "seconds": 2.0}], ["only one of them has: bits, total"]),
    ],
)
def test_differences_are_told_by_row(rows, told):
    assert list(differences(KEPT, of(*rows), ["n_in"], {"seconds": 2})) == told


# Making again


@pytest.fixture
def made(monkeypatch, tables):
    """A source of two rows, whose table is there."""
    rows = [{"n": 1, "bits": 0.5}, {"n": 2, "bits": 0.25}]
    program = f"import json, sys; json.dump({rows}, open(sys.argv[1], 'w'))"
    source = Source(f'python -c "{program}" {{json}}', 0.1, keys=("n",))
    monkeypatch.setattr(reproduce, "SOURCES", {"two": source})
    (tables / "two.csv").write_text(of(*rows).text())
    return tables / "two.csv"


def test_a_table_that_has_changed_is_told_and_replaced(made, capsys):
    assert reproduce.main(["two"]) == 0
    assert "ok        two, 2 rows" in capsys.readouterr().out
    made.write_text(made.read_text().replace("0.25", "0.125"))
    assert reproduce.main(["two"]) == 1
    assert "n=2: bits is 0.25, in the table 0.125" in capsys.readouterr().out
    assert reproduce.main(["two", "--write"]) == 0
    assert "# commit: " in made.read_text()
    assert reproduce.main(["two"]) == 0


def test_a_kept_directory_is_looked_at_as_it_is(made, tmp_path, capsys):
    kept = ["two", "--runs", str(tmp_path / "kept")]
    assert reproduce.main([*kept, "--as-is"]) == 1
    assert "failed    two: there is no" in capsys.readouterr().out
    assert reproduce.main(kept) == 0
    assert reproduce.main([*kept, "--as-is"]) == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Source('python -c "raise SystemExit(3)"', 1), "exit code 3"),
        (Source("python -c 'import nothing_of_this_name'", 1), "No module named 'nothing_of_this_name'"),
        (Source("python -c ''", 1, module="nothing_of_this_name"), "nothing_of_this_name is not installed"),
    ],
)
def test_a_command_that_fails(made, monkeypatch, capsys, source, said):
    monkeypatch.setattr(reproduce, "SOURCES", {"two": source})
    assert reproduce.main(["two", "--write"]) == 1
    assert said in capsys.readouterr().out
    assert "0.25" in made.read_text()


def test_every_table_is_listed(capsys):
    assert reproduce.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == NAMES


@pytest.mark.parametrize("arguments", [["masks_exact"], ["lenet_sweep", "--as-is"]])
def test_what_cannot_be_asked(arguments):
    with pytest.raises(SystemExit):
        reproduce.main(arguments)


def test_a_sweep_with_a_failed_point_is_refused(tmp_path):
    row = dict.fromkeys(COLUMNS) | {"status": "failed", "config": {"seed": 0}}
    to_frame([row]).write_parquet(tmp_path / "results.parquet")
    with pytest.raises(ValueError, match=r"1 rows of .* have failed"):
        of_sweep({}, tmp_path / "results.parquet")
