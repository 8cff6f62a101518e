"""A run's metrics: one JSON object a line, one line an epoch."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

FILE_NAME = "metrics.jsonl"


def write_metrics(path: Path, rows: Iterable[dict]) -> None:
    """Write all lines anew, under a temporary name first, so that the file is whole at any moment."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(temporary, path)


def append_metrics(path: Path, row: dict) -> None:
    """Add one line."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def read_metrics(path: Path) -> list[dict]:
    """The lines of a run, in order."""
    return [json.loads(line) for line in path.read_text().splitlines()]
