"""What happened to stages, one JSON object a line, for whoever looks on: people, the dashboard, the tests."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.artifacts.graph import Stage
from xorjax.files import naming
from xorjax.locks import wait_for


def log_event(runs: Path, stage: Stage, event: str, **more: Any) -> None:
    """Add a line: "made" or "resumed" as work begins, then "finished" (seconds), "failed" (error) or "interrupted".

    "found" is a stage that another command made meanwhile, "damaged" (reason) one that was set aside.
    """
    record = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "event": event,
        "stage": stage.kind,
        "name": stage.name,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        **more,
    }
    runs.mkdir(parents=True, exist_ok=True)
    # Appending by itself keeps the lines of processes apart on a local disk only.
    file = paths.stage_log(runs)
    with (
        wait_for(paths.claim_file(runs, "log", "stages")),
        naming(file),
        file.open("ab", buffering=0) as log,
    ):
        log.write(json.dumps(record).encode() + b"\n")
