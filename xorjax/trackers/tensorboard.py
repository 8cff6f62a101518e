"""TensorBoard: one directory of event files a stage and a point, below `runs/tensorboard`.

Written in the calling thread: the library's own writer has a thread and a queue, and when the thread dies of a full
disk, the queue fills up and blocks the training.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xorjax.trackers import of_epoch, of_point


def create(directory: Path) -> "TensorBoard":
    return TensorBoard(directory)


class TensorBoard:
    """Writes event files; a stage or point that is told of again is written anew."""

    def __init__(self, directory: Path):
        self.directory = directory

    @contextmanager
    def stage(self, kind: str, name: str, params: Mapping[str, Any]) -> Iterator[Callable[[dict], None]]:
        from tensorboardX import summary

        with _events(self.directory / kind / name) as write:
            write(0, summary.text("settings", f"```\n{json.dumps(params, indent=1, default=str)}\n```"))
            told: set[int] = set()

            def log(row: dict) -> None:
                if row["epoch"] not in told:
                    told.add(row["epoch"])
                    write(row["epoch"], *(summary.scalar(key, value) for key, value in of_epoch(row).items()))

            yield log

    def point(self, point: str, title: str, row: dict) -> None:
        """Shown in the table of TensorBoard's HPARAMS."""
        from tensorboardX import summary

        params, metrics = of_point(row)
        params = {"point": title} | params
        with _events(self.directory / "points" / point / row["layer"]) as write:
            write(0, *summary.hparams(params, metrics))
            write(0, *(summary.scalar(key, value) for key, value in metrics.items()))


@contextmanager
def _events(directory: Path) -> Iterator[Callable[..., None]]:
    """A new event file in place of what the directory has; yields a function of (step, summaries...)."""
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto import event_pb2

    # Made when imported, so that no type checker sees them.
    event, session_log = (getattr(event_pb2, name) for name in ("Event", "SessionLog"))
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("events.out.tfevents.*"):
        old.unlink()
    writer = EventsWriter(str(directory / "events"))

    def write(step: int, *summaries: Any) -> None:
        for summary in summaries:
            writer.write_event(event(wall_time=time.time(), step=step, summary=summary))
        writer.flush()

    try:
        # A TensorBoard that is running forgets what it has read from the files before.
        start = session_log(status=session_log.START)
        writer.write_event(event(wall_time=time.time(), step=0, session_log=start))
        yield write
    finally:
        writer.close()
