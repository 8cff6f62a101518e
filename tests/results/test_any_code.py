"""Points of any code, judged by any metric: what the tables, the report and the comparison make of them."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pages import Page, printed, report, traces
from synthetic import (
    PERPLEXITY,
    collect,
    make_baseline,
    make_config,
    make_other,
    make_point,
    make_row,
    write_report,
)
from test_compare import column

from xorjax.results.collect import CollectError
from xorjax.results.compare import compare
from xorjax.results.compare_page import write_comparison
from xorjax.results.compare_terminal import ComparisonTable
from xorjax.results.report import build_report
from xorjax.results.rows import to_frame
from xorjax.results.tables import summarise
from xorjax.results.terminal import SummaryTable


def language(bits: float, perplexity: float, code: str = "new", **values: Any) -> dict[str, Any]:
    """A row of a point of a code that nothing knows, judged by perplexity."""
    measured = {"validation_metric": perplexity + 1, "test_metric": perplexity}
    sizes = {"code_bits": bits - 0.33, "bits_per_weight": bits}
    return make_other(**{"code": code, "mask_codec": "newer", **PERPLEXITY, **measured, **sizes, **values})


def experiment(runs: Path, shift: float = 0.0) -> Path:
    """Three settings of two seeds, told apart by a setting of the new code, with a rival beside each."""
    points = []
    for seed in (0, 1):
        for depth, bits, perplexity in ((1, 0.40, 90.2), (2, 0.45, 89.5), (3, 0.50, 90.1)):
            config = make_config(seed=seed, code={"id": "new", "depth": depth}, mask__codec="newer")
            rival = make_baseline("golomb_signs", 0.35, 0.06, **PERPLEXITY, test_metric=90.3, config=config)
            own = language(bits + seed / 1000, perplexity + shift + seed / 100, seed=seed, config=config)
            points.append(make_point(f"d{depth}-s{seed}", [own, rival | {"seed": seed}]))
    return write_report(runs, points)


def test_the_report_of_a_code_and_a_metric_that_nothing_knows(tmp_path):
    page = Page(build_report(experiment(tmp_path)))
    assert "Coded weights of LeNet-5 on MNIST" in page.text
    line = {row[""]: row for row in page.tables["the best"]}[
        "best searched\nS 0.95, new, newer, code.depth=1"
    ]
    assert (line["test perplexity"], line["loss"]) == ("90.21 (sd 0.0071)", "0.205 ± 0.064")
    assert "nan" not in page.text
    words = page.text[: page.text.index("Glossary")].split()
    assert not {"accuracy", "accuracies", "XOR", "percentage", "n_in → n_out", "%"} & set(words)
    assert page.data["marks"] == {"new": "circle", "Golomb + signs": "star-open"}
    assert page.data["metric"]["higher_is_better"] is False
    # What tells the settings apart is the plan's to say.
    assert "code.depth" in page.data["filters"]
    validation, test = page.drawn("Perplexity, ")
    assert [shape["x0"] for shape in validation["layout"]["shapes"]] == pytest.approx([91.0, 91.5])
    assert len(test["layout"]["shapes"]) == 1
    text = printed(SummaryTable(summarise(to_frame([language(0.4, 90.2)]))))
    assert "90.2" in text
    assert not {"n_in", "XOR", "nan"} & set(text.split())


def test_a_points_own_code_may_be_one_that_is_a_rival_too(tmp_path):
    rows = [make_other("signs", "golomb", bits_per_weight=0.39), make_baseline("golomb_signs", 0.3, 0.05)]
    page = report(tmp_path, [make_point("a", rows)])
    assert page.data["baseline"] == [False, True]
    assert page.data["marks"] == {"signs": "circle", "Golomb + signs": "star-open"}


def test_codes_of_several_kinds_stand_in_one_report(tmp_path):
    rows = [make_row(), make_other("signs", "golomb"), make_other("dense", None, kept_score=1.0)]
    page = report(tmp_path, rows)
    assert set(page.data["marks"]) == {"XOR code, greedy", "signs", "dense"}
    assert "patches" in page.sections


@pytest.mark.parametrize("kept", [1.0, 0.97])
def test_ids_that_no_table_of_names_knows_have_a_report(tmp_path, kept):
    """Beside the XOR code: a code, a mask codec, exact or not, a model, a data set and a task of one's own."""
    own = {"model": "my_net", "dataset": "my_images", "task": "my_task", "kept_score": kept}
    config = make_config(mask__codec="zbitmap", model__name="my_net", task__id="my_task")
    rows = [make_row(mask_codec="zbitmap", config=config, **own), make_other("my_code", "zbitmap", **own)]
    rival = make_baseline("golomb_signs", 0.35, 0.06, config=config)
    rival |= {"code": "my_rival", "mask_codec": "yours"}
    points = [make_point(name, [row, rival]) for name, row in zip("ab", rows, strict=True)]
    report_dir = write_report(tmp_path, points)
    page = Page(build_report(report_dir))
    for word in ("my_net", "my_images", "my_code", "zbitmap", "yours + my_rival"):
        assert word in page.text
    assert {"masks", "bits", "baselines"} <= set(page.sections)
    assert "zbitmap" in printed(SummaryTable(summarise(collect(report_dir))))
    write_comparison(compare(report_dir, report_dir), tmp_path / "page.html")


def test_points_of_two_metrics_are_refused_and_their_table_is_written(tmp_path):
    report_dir = write_report(tmp_path, [make_row(), language(0.4, 90.0)])
    with pytest.raises(CollectError, match=r"judged by accuracy, perplexity; give .* \(report=NAME\)"):
        build_report(report_dir)
    table = pl.read_parquet(report_dir / "results.parquet")
    assert table["test_accuracy"].to_list() == [0.9915, None]
    assert table["test_metric"].to_list() == [0.9915, 90.0]


def test_a_comparison_of_perplexities_calls_less_better(tmp_path):
    first, second = experiment(tmp_path / "a"), experiment(tmp_path / "b", shift=-0.2)
    comparison = compare(first, second)
    assert len(comparison.pairs) == 3
    assert column(comparison, "verdicts", "better")["test perplexity"] == "1"
    write_comparison(comparison, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert "Bits against perplexity" in page.text
    assert "accuracy" not in page.text
    # The front goes down: of less bits the higher perplexity, and what is neither smaller nor lower is not on it.
    drawn = traces(next(iter(page.figures.values())))
    assert [len(drawn[f"front of {side}"]["x"]) for side in comparison.names] == [2, 2]
    assert "perplexity" in printed(ComparisonTable(comparison))


def test_experiments_of_two_metrics_are_not_compared(tmp_path):
    first = experiment(tmp_path / "a")
    second = write_report(tmp_path / "b", [make_row()])
    with pytest.raises(CollectError, match=r"is judged by perplexity and .* by accuracy"):
        compare(first, second)
