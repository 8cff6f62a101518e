"""Points of any code, judged by any metric: what the tables, the report and the comparison make of them."""

import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pages import Page
from rich.console import Console
from synthetic import collect, make_baseline, make_config, make_other, make_point, make_row, write_report

from xorjax.results.collect import CollectError
from xorjax.results.compare import compare
from xorjax.results.compare_page import write_comparison
from xorjax.results.compare_tables import tables
from xorjax.results.compare_terminal import ComparisonTable
from xorjax.results.report import build_report
from xorjax.results.rows import to_frame
from xorjax.results.tables import per_point, per_setting, summarise
from xorjax.results.terminal import SummaryTable

PERPLEXITY = {
    "task": "language",
    "metric": "perplexity",
    "metric_unit": "",
    "higher_is_better": False,
    "metric_tolerance": 0.5,
    "dense_metric": 90.0,
    "dense_validation_metric": 91.0,
    "pruned_metric": 90.2,
    "quantized_metric": 90.3,
}


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


def test_the_smallest_point_close_enough_is_best_where_low_is_good():
    rows = [language(0.3, 90.6, point="a", seed=0), language(0.4, 90.4, code="other", point="b")]
    (best,) = summarise(to_frame(rows))
    assert (best.code, best.is_close, best.point) == ("other", True, "b")
    (best,) = summarise(to_frame(rows[:1]))
    assert (best.is_close, best.tested) == (False, "90.6 *")


def test_without_a_close_point_the_lowest_is_best():
    rows = [language(0.3, 95.0, point="a"), language(0.4, 93.0, code="other", point="b")]
    (best,) = summarise(to_frame(rows))
    assert (best.code, best.is_close) == ("other", False)


def test_the_report_of_a_code_and_a_metric_that_nothing_knows(tmp_path):
    page = Page(build_report(experiment(tmp_path)))
    assert "Coded weights of LeNet-5 on MNIST" in page.text
    line = {row[""]: row for row in page.tables["the best"]}["best searched"]
    assert (line["test perplexity"], line["loss"]) == ("90.21 ± 0.0071", "0.205 ± 0.064")
    assert line["setting"] == "S 0.95, new, newer, code.depth=1"
    assert "nan" not in page.text
    before_glossary = page.text[: page.text.index("Glossary")]
    assert not {"accuracy", "accuracies", "XOR", "percentage", "n_in → n_out", "%"} & set(
        before_glossary.split()
    )
    assert page.data["marks"] == {"new": "circle", "Golomb + signs": "star-open"}
    assert page.data["metric"]["higher_is_better"] is False
    # What tells the settings apart is the plan's to say.
    assert "code.depth" in page.data["filters"]
    validation, test = page.drawn("Perplexity, ")
    assert [shape["y0"] for shape in validation["layout"]["shapes"]] == pytest.approx([91.0, 91.5])
    assert len(test["layout"]["shapes"]) == 1
    text = io.StringIO()
    Console(width=100, file=text).print(SummaryTable(summarise(to_frame([language(0.4, 90.2)]))))
    assert "90.2" in text.getvalue()
    assert not {"n_in", "XOR", "nan"} & set(text.getvalue().split())


def test_a_points_own_code_may_be_one_that_is_a_rival_too(tmp_path):
    rows = [make_other("signs", "golomb", bits_per_weight=0.39), make_baseline("golomb_signs", 0.3, 0.05)]
    page = Page(build_report(write_report(tmp_path, [make_point("a", rows)])))
    assert page.data["baseline"] == [False, True]
    assert page.data["marks"] == {"signs": "circle", "Golomb + signs": "star-open"}


def test_codes_of_several_kinds_stand_in_one_report(tmp_path):
    rows = [make_row(), make_other("signs", "golomb"), make_other("dense", None, kept_score=1.0)]
    points = [make_point(name, [row]) for name, row in zip("abc", rows, strict=True)]
    page = Page(build_report(write_report(tmp_path, points)))
    assert set(page.data["marks"]) == {"XOR code, greedy", "signs", "dense"}
    assert "patches" in page.sections


@pytest.mark.parametrize("kept", [1.0, 0.97])
def test_ids_that_no_table_of_names_knows_have_a_report(tmp_path, kept):
    """Beside the XOR code: a code, a mask codec, exact or not, a model, a data set and a task of one's own."""
    own = {"model": "my_net", "dataset": "my_images", "task": "my_task", "kept_score": kept}
    config = make_config(mask__codec="zbitmap", model__name="my_net", task__id="my_task")
    rows = [make_row(mask_codec="zbitmap", config=config, **own), make_other("my_code", "zbitmap", **own)]
    rival = make_baseline("golomb_signs", 0.35, 0.06, config=config) | {
        "code": "my_rival",
        "mask_codec": "yours",
    }
    points = [make_point(name, [row, rival]) for name, row in zip("ab", rows, strict=True)]
    report_dir = write_report(tmp_path, points)
    page = Page(build_report(report_dir))
    for word in ("my_net", "my_images", "my_code", "zbitmap", "yours + my_rival"):
        assert word in page.text
    assert {"masks", "bits", "baselines"} <= set(page.sections)
    text = io.StringIO()
    Console(width=100, file=text).print(SummaryTable(summarise(collect(report_dir))))
    assert "zbitmap" in text.getvalue()
    write_comparison(compare(report_dir, report_dir), tmp_path / "page.html")


def test_points_of_two_metrics_are_refused_and_their_table_is_written(tmp_path):
    report_dir = write_report(
        tmp_path, [make_point("a", [make_row()]), make_point("b", [language(0.4, 90.0)])]
    )
    with pytest.raises(CollectError, match=r"judged by accuracy, perplexity; give .* \(report=NAME\)"):
        build_report(report_dir)
    table = pl.read_parquet(report_dir / "results.parquet")
    assert table["test_accuracy"].to_list() == [0.9915, None]
    assert table["test_metric"].to_list() == [0.9915, 90.0]


def test_layers_that_are_coded_apart_are_one_point():
    config = make_config(prune__rate=0.9)
    first = make_row(config=config, prune_rate=0.95, n_in=20, n_out=300, point="a")
    other = make_other("signs", "golomb", config=config, prune_rate=0.8, layer="fc2", point="a")
    (point,) = per_point(to_frame([first, other])).iter_rows(named=True)
    assert (point["prune_rate"], point["code"], point["mask_codec"]) == (0.9, "mixed", "mixed")
    assert point["patches_per_slice"] == first["patches_per_slice"]


def test_seeds_whose_n_out_was_chosen_from_their_masks_are_one_setting():
    rows = [
        make_row(seed=seed, n_out=n_out, point=f"p{seed}", config=make_config(seed=seed, code__n_out=None))
        for seed, n_out in enumerate((318, 320, 325))
    ]
    (setting,) = per_setting(per_point(to_frame(rows))).iter_rows(named=True)
    assert (setting["n_seeds"], setting["n_out"]) == (3, 321)


def test_a_comparison_of_perplexities_calls_less_better(tmp_path):
    first, second = experiment(tmp_path / "a"), experiment(tmp_path / "b", shift=-0.2)
    comparison = compare(first, second)
    assert len(comparison.pairs) == 3
    verdicts = {
        row[""][0]: row for table in tables(comparison) if table.name == "verdicts" for row in table.rows
    }
    assert verdicts["test perplexity"]["better"][0] == "1"
    write_comparison(comparison, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert "Bits against perplexity" in page.text
    assert "accuracy" not in page.text
    # The front goes down: of less bits the higher perplexity, and what is neither smaller nor lower is not on it.
    fronts = [
        trace
        for trace in next(iter(page.figures.values()))["data"]
        if str(trace["name"]).startswith("front of")
    ]
    assert [len(trace["x"]) for trace in fronts] == [2, 2]
    text = io.StringIO()
    Console(width=100, file=text).print(ComparisonTable(comparison))
    assert "perplexity" in text.getvalue()


def test_experiments_of_two_metrics_are_not_compared(tmp_path):
    first = experiment(tmp_path / "a")
    second = write_report(tmp_path / "b", [make_point("a", [make_row()])])
    with pytest.raises(CollectError, match=r"is judged by perplexity and .* by accuracy"):
        compare(first, second)


def test_the_table_of_a_new_code_is_written_whole(tmp_path):
    table = collect(experiment(tmp_path))
    assert table["code"].unique().sort().to_list() == ["new", "signs"]
    assert table["config"].struct.field("code").struct.field(
        "depth"
    ).drop_nulls().unique().sort().to_list() == [1, 2, 3]
    assert table["dense_accuracy"].null_count() == table.height
