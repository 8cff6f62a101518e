"""Rebuild the tables and reports of experiments from the points on disk, or compare two of them.

python scripts/report.py [runs/reports/lenet_sweep ...]
python scripts/report.py --compare runs/reports/lenet_sweep runs/reports/lenet_masks
"""

import argparse
import os
import sys
from pathlib import Path

from xorjax.files import check_name, place_of
from xorjax.program import run_program
from xorjax.results.collect import CollectError
from xorjax.results.report import build_report

REPORTS = Path(os.environ.get("XORJAX_RUNS") or "runs") / "reports"


def main(arguments: list[str] | None = None) -> int:
    """Build the report of each directory given, of every experiment of the runs directory if none is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "directories", nargs="*", type=Path, help=f"default: every experiment below {REPORTS}"
    )
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A", "B"), help="the report directories of two experiments"
    )
    parser.add_argument(
        "--to", type=Path, help="where to write the comparison; default: compare-A-B.html beside A"
    )
    chosen = parser.parse_args(arguments)
    if (chosen.compare is None and chosen.to) or (chosen.compare and chosen.directories):
        parser.error("--compare takes two directories and no others; --to goes with it")
    found = chosen.directories or sorted(path.parent for path in REPORTS.glob("*/plan.json"))
    # Comparisons lie beside the reports: `runs/reports/*` names them too.
    places = chosen.compare or [
        path for path in found if not (path.match("compare-*.html") and path.is_file())
    ]
    if not places:
        print(f"no experiment {'among those named' if found else f'below {REPORTS}'}", file=sys.stderr)
        return 1
    try:
        for place in places:
            check_name(place)
        if chosen.compare:
            print(_compare(places, chosen.to))
        else:
            for place in places:
                print(build_report(place))
    except OSError as error:
        print(f"{error.filename}: {error.strerror}" if error.filename else error, file=sys.stderr)
        return 1
    except CollectError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _compare(places: list[Path], to: Path | None) -> Path:
    from rich.console import Console

    from xorjax.results.compare import compare
    from xorjax.results.compare_page import write_comparison
    from xorjax.results.compare_terminal import ComparisonTable

    first, second = places
    to = to or first.parent / f"compare-{first.name}-{second.name}.html"
    place_of(to)
    comparison = compare(first, second)
    write_comparison(comparison, to)
    Console().print(ComparisonTable(comparison))
    return to


if __name__ == "__main__":
    sys.exit(run_program(main))
