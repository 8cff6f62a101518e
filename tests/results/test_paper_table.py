"""The table of published rows: figures stand with how they are known, ours come from result tables alone."""

import json
import sys
from pathlib import Path

import pytest
from synthetic import collect, make_baseline, make_config, make_point, make_row, write_report

from xorjax.masks import MASK_CODECS

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

import paper_table
from documents import measured
from documents.measured import SETTINGS, of_sweep
from documents.published import MARKS, TABLES

ROWS = [row for table in TABLES.values() for row in table]


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """What the script prints of tmp_path/runs and tmp_path/tables, and its JSON."""
    monkeypatch.setattr(measured, "TABLES", tmp_path / "tables")

    def run(*options):
        said = tmp_path / "table.json"
        assert paper_table.main(["--runs", str(tmp_path / "runs"), "--json", str(said), *options]) == 0
        return capsys.readouterr().out, json.loads(said.read_text())

    return run


def leave(tmp_path, name, points):
    """The report of an experiment with these points, collected."""
    made = write_report(tmp_path / "made", points)
    collect(made)
    place = tmp_path / "runs" / "reports" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    made.rename(place)


def masked(codec, seed, test, index_bits, n_planes=1, rate=0.95, **values):
    """A point of an XOR code behind such a mask, with a rival."""
    config = make_config(seed=seed, prune__rate=rate, mask__codec=codec, quantize__n_planes=n_planes)
    both = {
        "seed": seed,
        "prune_rate": rate,
        "quantized_metric": test,
        "config": config,
        "n_planes": n_planes,
        **values,
    }
    row = make_row(
        **{
            "mask_codec": codec,
            "test_metric": test,
            "index_bits": index_bits,
            "bits_per_weight": 0.12 + index_bits,
            "kept_score": 1.0 if codec == "ans_rc" else 0.8,
            **both,
        }
    )
    rival = make_baseline("ans_rc_signs", 0.29, 0.05, **both, test_metric=test)
    unmeasured = make_baseline("dense", 0.0, 0.01, **both, test_metric=None)
    return make_point(f"{codec}-{rate}-{n_planes}-{seed}", [row, rival, unmeasured])


def row_of(said, network, setting):
    (row,) = (
        row
        for table in said["tables"].values()
        for row in table
        if row["network"].startswith(network) and row["setting"] == setting
    )
    return row


def sizes(**changes):
    line = {
        "mask": "exact",
        "n_in": 64,
        "method": "minimum",
        "patch_format": "enumerative",
        "n_out": "768",
        "index_bits": 0.4365,
        "value_bits": 0.0951,
        "total": 0.5316,
        "seconds": 12.0,
        "mask_seconds": 3.0,
        "lossless": True,
    }
    return line | changes


def test_without_results_every_row_is_not_run_and_has_its_command(run):
    printed, said = run()
    rows = [row for table in said["tables"].values() for row in table]
    assert {row["status"] for row in rows} == {"not run"}
    assert printed.count("not run") == len(rows)
    assert all(row["command"].startswith("python ") and row["command"] in printed for row in rows)
    assert said["fronts"] == {}


@pytest.mark.parametrize("options", [[], ["--markdown"]])
def test_no_figure_stands_without_how_it_is_known(run, options):
    printed, _ = run(*options)
    assert all(figure.mark in MARKS for row in ROWS for figure in figures(row))
    for row in ROWS:
        said = row.published
        assert said in printed
        # A figure at a time, each with its mark behind it.
        for part in said.split("; "):
            assert part == "none" or any(mark in part for mark in MARKS.values())
        if any(figure.mark == "r" for figure in figures(row)):
            assert "as recalled" in said


def figures(row):
    return [figure for figure in (row.total, row.index, row.metric, row.dense) if figure is not None]


def test_the_one_quoted_total_is_alexnet_s():
    quoted = {row.network for row in ROWS for figure in figures(row) if figure.mark == "v"}
    assert quoted == {"AlexNet FC5+FC6, ImageNet"}


def test_rows_name_settings_that_there_are():
    for row in ROWS:
        if row.experiment.endswith(".json"):
            assert set(row.where) == {"mask"}
        else:
            assert set(row.where) <= set(SETTINGS)
            assert row.where.get("mask", "xor") in MASK_CODECS


def test_ours_are_means_over_seeds_of_the_points_that_the_row_names(run, tmp_path):
    points = [
        *(masked("xor", seed, test, 0.07) for seed, test in enumerate((0.990, 0.992))),
        *(masked("lowrank", seed, 0.5, 0.05) for seed in (0, 1)),
        *(masked("xor", seed, 0.5, 0.01, rate=0.98) for seed in (0, 1)),
    ]
    leave(tmp_path, "lenet_masks", points)
    printed, said = run()
    (ours,) = row_of(said, "LeNet-5", "S=0.95, 1 bit, XOR-coded mask")["ours"]
    assert ours["total"] == pytest.approx(0.19)
    assert ours["value_bits"] == pytest.approx(0.08)
    assert ours["quality"]["tested"] == pytest.approx(0.991)
    assert ours["quality"]["spread"] == pytest.approx(0.002 / 2**0.5)
    assert ours["quality"]["loss"]["value"] == pytest.approx(0.001)
    assert ours["quality"]["loss"]["n_seeds"] == 2
    assert "99.10 (sd 0.14) % (2 seeds, 28 epochs); dense 99.20 %, reference 99.20 %" in printed


def test_what_is_kept_of_an_experiment_stands_where_it_was_not_run(run, tmp_path):
    points = [masked("xor", seed, test, 0.07) for seed, test in enumerate((0.990, 0.992))]
    leave(tmp_path, "lenet_masks", points)
    _, reported = run()
    (tmp_path / "tables").mkdir()
    kept = of_sweep({"command": "a"}, tmp_path / "runs/reports/lenet_masks/results.parquet")
    (tmp_path / "tables" / "lenet_masks.csv").write_text(kept.text())
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    _, said = run()
    (ours,), (before,) = (
        row_of(said, "LeNet-5", "S=0.95, 1 bit, XOR-coded mask")["ours"] for said in (said, reported)
    )
    assert ours.pop("source") == "docs/tables/lenet_masks.csv"
    assert before.pop("source").endswith("reports/lenet_masks")
    assert ours["quality"].pop("loss") == pytest.approx(before["quality"].pop("loss"), rel=1e-5)
    assert ours["quality"] == pytest.approx(before["quality"], rel=1e-5)
    assert ours["method"] == before["method"]
    assert ours["total"] == pytest.approx(before["total"], rel=1e-5)


def test_layers_count_by_their_weights(run, tmp_path):
    point = masked("xor", 0, 0.99, 0.07)
    row = point["rows"][0]
    small = row | {
        "layer": "fc2",
        "n_weights": row["n_weights"] // 3,
        "index_bits": 0.27,
        "bits_per_weight": 0.39,
    }
    leave(tmp_path, "lenet_masks", [point | {"rows": [row, small]}])
    _, said = run()
    (ours,) = row_of(said, "LeNet-5", "S=0.95, 1 bit, XOR-coded mask")["ours"]
    assert ours["total"] == pytest.approx(0.75 * 0.19 + 0.25 * 0.39, rel=1e-4)
    assert ours["index_bits"] == pytest.approx(0.75 * 0.07 + 0.25 * 0.27, rel=1e-4)
    assert ours["quality"]["loss"]["n_seeds"] == 1


def test_a_point_of_another_number_of_planes_is_another_row_s(run, tmp_path):
    leave(tmp_path, "resnet32_masks", [masked("xor", 0, 0.9, 0.2, planes, rate=0.8) for planes in (1, 2)])
    _, said = run()
    for planes, setting in ((1, "S=0.8, 1 bit, XOR-coded mask"), (2, "S=0.8, 2 bits, XOR-coded mask")):
        (ours,) = row_of(said, "ResNet-32", setting)["ours"]
        assert ("2 planes" in ours["method"]) == (planes == 2)
    assert row_of(said, "ResNet-32", "S=0.9, 2 bits, XOR-coded mask")["status"] == "not run"


def test_a_setting_that_the_label_does_not_name_is_no_row_s(run, tmp_path):
    """A single point that was added to a report, smaller than the experiment's own."""
    points = [masked("ans_rc", 0, 0.91, 0.8, 2, rate=0.7), masked("ans_rc", 0, 0.85, 0.4, 2, rate=0.9)]
    leave(tmp_path, "resnet32_paper", points)
    _, said = run()
    (ours,) = row_of(said, "ResNet-32", "S=0.7, 2 bits, exact mask")["ours"]
    assert ours["quality"]["tested"] == pytest.approx(0.91)


def test_labels_are_what_the_columns_say():
    for row in ROWS:
        if row.where.get("prune_rate"):
            assert row.setting.startswith(f"S={row.where['prune_rate']:g}, {row.where['n_planes']} bit")
        elif not row.experiment.endswith(".json"):
            n_in, n_out, n_planes = (row.where[key] for key in ("n_in", "n_out", "n_planes"))
            assert row.setting.startswith(f"{n_planes * n_in / n_out:g} bit")
            assert f", {n_in} for {n_out} weights" in row.setting
            assert ("in each of 2 planes" in row.setting) == (n_planes == 2)


def test_a_report_without_the_row_does_not_hide_what_is_kept(run, tmp_path):
    leave(tmp_path, "lenet_masks", [masked("xor", 0, 0.99, 0.07)])
    (tmp_path / "tables").mkdir()
    path = tmp_path / "runs/reports/lenet_masks/results.parquet"
    command = "python scripts/train.py +experiment=lenet_masks optim.epochs=2"
    (tmp_path / "tables/lenet_masks.csv").write_text(of_sweep({"command": command}, path).text())
    path.parent.rename(tmp_path / "before")
    leave(tmp_path / "narrowed", "lenet_masks", [masked("xor", 0, 0.98, 0.03, rate=0.98)])
    (tmp_path / "narrowed/runs/reports/lenet_masks").rename(path.parent)
    printed, said = run()
    (ours,) = row_of(said, "LeNet-5", "S=0.95, 1 bit, XOR-coded mask")["ours"]
    assert ours["source"] == "docs/tables/lenet_masks.csv"
    # Not by the experiment as it stands.
    assert ours["command"] == command
    assert printed.count(f"made by {command}") == run("--markdown")[0].count(f"`{command}`") == 1


def test_a_rival_that_was_not_measured_is_in_no_front(run, tmp_path):
    leave(tmp_path, "lenet_masks", [masked("ans_rc", 0, 0.99, 0.07)])
    _, said = run()
    (places,) = said["fronts"].values()
    assert len(places) == 2
    assert not any(place["method"].startswith("dense") for place in places)


def test_each_recipe_that_was_run_is_told(run, tmp_path):
    for name in ("resnet32_paper", "resnet32_paper_gpu"):
        leave(tmp_path, name, [masked("ans_rc", 0, 0.91, 0.8, 2, rate=0.7)])
    printed, said = run("--markdown")
    ours = row_of(said, "ResNet-32", "S=0.7, 2 bits, exact mask")["ours"]
    assert [Path(one["source"]).name for one in ours] == ["resnet32_paper", "resnet32_paper_gpu"]
    assert printed.count("(GPU recipe)") == 1


def test_a_perplexity_is_worse_where_it_is_higher(run, tmp_path):
    metric = {
        "metric": "perplexity",
        "metric_unit": "",
        "higher_is_better": False,
        "metric_tolerance": 0.1,
        "dense_metric": 90.0,
        "reference_metric": 88.0,
    }
    leave(tmp_path, "lstm_paper", [masked("ans_rc", 0, 92.4, 0.97, 2, rate=0.6, **metric)])
    printed, said = run()
    (ours,) = row_of(said, "LSTM", "S=0.6, 2 bits, exact mask")["ours"]
    assert ours["quality"]["loss"]["value"] == pytest.approx(4.4)
    assert ours["quality"]["against_dense"] == pytest.approx(2.4)
    assert "loss 4.4 (1 seed: tells nothing of a spread), 5.00 %; against dense 2.4, 2.67 %" in printed
    assert "perplexity 89.6 (as recalled)" in printed
    (front,) = said["fronts"]
    assert front.endswith("loss in perplexity")


def test_alexnet_s_rows_are_what_the_benchmark_left(run, tmp_path, capsys):
    place = tmp_path / "runs" / "reports" / "alexnet.json"
    place.parent.mkdir(parents=True)
    sums = [
        sizes(),
        sizes(n_in=128, value_bits=0.0937, total=0.5302),
        sizes(mask="lowrank", index_bits=0.178, total=0.2731),
        sizes(mask="exact, ans_rc", n_in=None, method="signs", value_bits=0.09, total=0.5265),
    ]
    place.write_text(json.dumps({"shrink": 1, "sums": sums}))
    _, said = run()
    (ours,) = row_of(said, "AlexNet", "S=0.91, 1 bit, exact mask, sizes alone")["ours"]
    assert (ours["total"], ours["quality"]) == (0.5302, None)
    (ours,) = row_of(said, "AlexNet", "S=0.91, 1 bit, low-rank mask, sizes alone")["ours"]
    assert ours["total"] == 0.2731
    assert row_of(said, "AlexNet", "S=0.91, 1 bit, XOR-coded mask, sizes alone")["status"] == "not run"
    place.write_text(json.dumps({"shrink": 8, "sums": sums}))
    assert paper_table.main(["--runs", str(tmp_path / "runs")]) == 1
    assert "--shrink 8" in capsys.readouterr().err


def test_a_front_has_what_loses_less_than_all_that_take_as_few_bits(run, tmp_path):
    points = [
        *(masked("ans_rc", seed, 0.9915, 0.29) for seed in (0, 1)),
        *(masked("xor", seed, 0.9905, 0.07) for seed in (0, 1)),
        *(masked("lowrank", seed, 0.9895, 0.08) for seed in (0, 1)),
    ]
    leave(tmp_path, "lenet_masks", points)
    printed, said = run("--markdown")
    ((name, places),) = said["fronts"].items()
    assert name == "lenet5, mnist, fc1; loss in pp"
    assert [place["total"] for place in places] == sorted(place["total"] for place in places)
    least = float("inf")
    for place in places:
        assert place["wins"] == (place["loss"] < least)
        least = min(least, place["loss"])
    winners = [place["method"] for place in places if place["wins"]]
    # Packed signs are smaller than this XOR code, behind the mask that the codec chose and behind the exact one.
    assert winners[0].startswith("same mask + signs, mask: XOR network")
    assert winners[-1].startswith("ANS mask + signs")
    assert printed.count("**") == 2 * len(winners)
    assert {place["n_seeds"] for place in places} == {2}
