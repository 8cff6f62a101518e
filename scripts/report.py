"""Rebuild the tables and reports of experiments from the points on disk.

python scripts/report.py [runs/reports/lenet_sweep ...]
"""

import argparse
import sys
from pathlib import Path

from xorjax.results.collect import CollectError
from xorjax.results.report import build_report


def main(arguments: list[str] | None = None) -> int:
    """Build the report of each directory given, of every experiment below runs/reports if none is."""
    parser = argparse.ArgumentParser(description="Rebuild tables and reports from the points on disk.")
    parser.add_argument(
        "directories", nargs="*", type=Path, help="default: every experiment below runs/reports"
    )
    directories = parser.parse_args(arguments).directories
    directories = directories or sorted(path.parent for path in Path("runs/reports").glob("*/plan.json"))
    if not directories:
        print("no experiment below runs/reports", file=sys.stderr)
        return 1
    for directory in directories:
        try:
            print(build_report(directory))
        except CollectError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
