"""The page of the codec's limits, and the script that draws it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import Page

from xorjax.results.limits import write_page
from xorjax.results.palette import CYCLE, NEUTRAL
from xorjax.studies.limits import STUDIES, Line, Panel

SCRIPT = Path(__file__).parents[2] / "scripts" / "figures.py"
LINES = [
    Line("n_in 20", "measured", "points", [100.0, 200.0], [0.3, 0.2]),
    Line("n_in 40", "predicted", "solid", [100.0, 200.0], [0.25, 0.15]),
    Line(None, "1 - S, the bound", "dashed", [100.0, 200.0], [0.1, 0.1]),
]
PANELS = [Panel(f"S = {rate:g}", "n_out", "value bits per weight", (0.0, 1.0), LINES) for rate in (0.6, 0.9)]


def test_lines_have_the_colours_and_styles_that_one_legend_names(tmp_path):
    path = tmp_path / "limits.html"
    write_page({"best_bits": PANELS, "patches": PANELS[:1]}, path, "2 seeds <of> 5")
    written = Page(path)
    assert written.sections == ["best_bits", "patches"]
    assert len(written.figures) == 3
    traces = {trace["name"]: trace for trace in next(iter(written.figures.values()))["data"]}
    points, line = traces["n_in 20, measured"], traces["n_in 40, predicted"]
    assert (points["mode"], points["marker"]["color"]) == ("markers", CYCLE[0])
    assert (line["mode"], line["y"], line["line"]["color"]) == ("lines", [0.25, 0.15], CYCLE[1])
    assert [traces["1 - S, the bound"]["line"][name] for name in ("color", "dash")] == [NEUTRAL, "dash"]
    for name in (STUDIES["best_bits"].title, STUDIES["patches"].title, "2 seeds <of> 5"):
        assert written.text.count(name) == 1
    for name in ("n_in 20", "n_in 40", "measured", "predicted", "1 - S, the bound"):
        assert written.text.count(name) == 2


@pytest.mark.slow
def test_the_script_draws_small_pictures_and_a_page_that_opens_alone(opened, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), "--weights", "3000", "--seeds", "1"]
    command += ["--out", str(tmp_path / "pictures"), "--page", str(tmp_path / "page")]
    finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in pictures] == sorted(f"codec_{name}.png" for name in STUDIES)
    assert all(path.stat().st_size < 200_000 for path in pictures)
    assert "| 0.95 | 60 |" in finished.stdout
    page = opened(tmp_path / "page" / "codec_limits.html")
    assert page.locator(".plot").count() == 34
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
    page.locator(".plot.js-plotly-plot").last.wait_for()
    assert page.locator(".plot path").count() > 34
