"""Documents from their sources: `docs/source/NAME.md`, a jinja2 template, becomes the document of that name."""

from pathlib import Path
from statistics import fmean

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import figures

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "source"
DOCUMENTS = {"README.md": ROOT / "README.md", "results.md": ROOT / "docs" / "results.md"}


def render(name: str) -> str:
    """The text of a document.

    Raises:
        LookupError, FileNotFoundError: a table does not have what the document says of it.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    helpers = (
        figures.table,
        figures.cells,
        figures.means,
        figures.across,
        figures.pairs,
        figures.intervals,
        figures.deviations,
        figures.gaps,
        figures.above,
        figures.above_random,
    )
    environment.globals |= {helper.__name__: helper for helper in helpers}
    environment.globals |= {"RATES": figures.RATES, "average": fmean}
    environment.filters |= {"n": figures.number, "pm": figures.plus_minus}
    return environment.get_template(name).render()
