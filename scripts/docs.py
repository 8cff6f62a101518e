"""README.md and docs/results.md from docs/source and the tables in docs/tables: `make docs`.

python scripts/docs.py            write them
python scripts/docs.py --check    exit code 1 if one of them is not what its source says
"""

import argparse
import difflib
import sys
from pathlib import Path
from statistics import fmean

from documents import figures, fronts, paper
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from xorjax.files import write_text
from xorjax.program import run_program

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "source"
DOCUMENTS = {"README.md": ROOT / "README.md", "results.md": ROOT / "docs" / "results.md"}
"""What is rendered of the jinja2 template of a name."""


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
    environment.globals |= vars(figures) | {"average": fmean, "papers": paper, "fronts": fronts.fronts}
    environment.filters |= {"n": figures.number, "pm": figures.plus_minus}
    return environment.get_template(name).render()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, show what would change")
    parser.add_argument("--pictures", action="store_true", help="draw the pictures of docs/figures too")
    arguments = parser.parse_args(argv)
    if arguments.pictures:
        from documents.pictures import draw

        draw()
    changed = 0
    for name, path in DOCUMENTS.items():
        texts = path.read_text(encoding="utf-8"), render(name)
        if texts[0] == texts[1]:
            continue
        if arguments.check:
            before, after = (text.splitlines(keepends=True) for text in texts)
            sys.stdout.writelines(difflib.unified_diff(before, after, str(path), name))
            changed = 1
        else:
            write_text(path, texts[1])
            print(path)
    return changed


if __name__ == "__main__":
    sys.exit(run_program(main))
