"""A run's metrics: one JSON object a line, one line an epoch."""

import json
from collections.abc import Iterable
from pathlib import Path

from xorjax.files import write_text

FILE_NAME = "metrics.jsonl"


def write_metrics(path: Path, rows: Iterable[dict]) -> None:
    """Write all lines anew, under a temporary name first, so that the file is whole at any moment."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def append_metrics(path: Path, row: dict) -> None:
    """Add one line."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
