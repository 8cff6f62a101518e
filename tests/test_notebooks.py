"""The notebooks run from their text form, and the pairs are in step."""

import os
from pathlib import Path

import jupytext
import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
TEXTS = sorted(FOLDER.glob("*.py"))
# They run a sweep first.
SLOW = ("04_explore_a_sweep",)
PARAMS = [pytest.param(t, marks=pytest.mark.slow if t.stem in SLOW else (), id=t.stem) for t in TEXTS]


@pytest.fixture(scope="module", params=PARAMS)
def pair(request, tmp_path_factory) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """The notebook executed just now from its .py, and the .ipynb as it is kept."""
    text = request.param
    tmp = tmp_path_factory.mktemp("jupyter")
    executed = jupytext.read(text)
    client = nbclient.NotebookClient(executed, timeout=900, resources={"metadata": {"path": str(FOLDER)}})
    with pytest.MonkeyPatch.context() as patch:
        # Nothing of the user's own settings, which may change how outputs look.
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(tmp))
        patch.delenv("MPLBACKEND", raising=False)
        # Commands are printed as they were started, and "uv run" is not kept.
        patch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
        # Nor a sweep that happens to be there, nor one left there.
        patch.setenv("XORJAX_RUNS", str(tmp / "runs"))
        client.execute()
    return executed, nbformat.read(text.with_suffix(".ipynb"), as_version=4)


def test_there_are_pairs():
    assert TEXTS
    assert [text.stem for text in TEXTS] == [kept.stem for kept in sorted(FOLDER.glob("*.ipynb"))]


def test_the_pair_has_the_same_cells(pair):
    texts, kept = ([(c.cell_type, c.source, c.metadata.get("tags", [])) for c in nb.cells] for nb in pair)
    assert texts == kept


def test_every_cell_runs_without_error_or_warning(pair):
    for notebook in pair:
        code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        outputs = [output for cell in code for output in cell.outputs]
        assert all(output.output_type != "error" for output in outputs)
        assert "Warning" not in "".join(output.text for output in outputs if output.get("name") == "stderr")


def test_asserting_cells_print_what_they_found(pair):
    for notebook in pair:
        asserting = [cell for cell in notebook.cells if "\nassert " in cell.source]
        assert len(asserting) >= 5
        assert all(_printed(cell) for cell in asserting)


def test_exact_outputs_are_those_kept(pair):
    executed, kept = ([c for c in nb.cells if "exact" in c.metadata.get("tags", [])] for nb in pair)
    assert len(executed) >= 1
    assert [_printed(cell) for cell in executed] == [_printed(cell) for cell in kept]


def test_what_is_kept_is_small_and_names_no_machine(pair):
    _, kept = pair
    outputs = nbformat.writes(nbformat.v4.new_notebook(cells=kept.cells))
    assert len(outputs) < 300_000
    assert str(Path.home()) not in outputs
    assert str(FOLDER.parent) not in outputs
    assert f"{os.sep}site-packages{os.sep}" not in outputs


def _printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
