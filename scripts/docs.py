"""README.md and docs/results.md from docs/source and the tables in docs/tables: `make docs`.

python scripts/docs.py            write them
python scripts/docs.py --check    exit code 1 if one of them is not what its source says
"""

import argparse
import difflib
import sys

from documents.render import DOCUMENTS, render

from xorjax.files import write_text
from xorjax.program import run_program


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
        before, after = path.read_text(encoding="utf-8"), render(name)
        if before == after:
            continue
        changed = 1
        if arguments.check:
            sys.stdout.writelines(
                difflib.unified_diff(
                    before.splitlines(keepends=True), after.splitlines(keepends=True), str(path), name
                )
            )
        else:
            write_text(path, after)
            print(path)
    return changed if arguments.check else 0


if __name__ == "__main__":
    sys.exit(run_program(main))
