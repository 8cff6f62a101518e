"""A checkpoint that need not fit in memory: its shards on an engine, each final when it is made, then their index.

Which shards are done is asked of the directory alone, by the workers: so a command that was killed goes on, and two
commands share the work.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from xorjax.compression.cut import Cut, Shard
from xorjax.compression.directory import begin, is_current
from xorjax.compression.errors import CompressError
from xorjax.compression.shard import Busy, Task, make_shard, progress_of
from xorjax.container.index import ShardFile, write_index
from xorjax.engines import Engine, WorkerLost

# Seconds between two looks at how far the workers are, and at a shard that another command is making.
_PERIOD = 0.5

HearShard = Callable[[Shard, float, dict[str, Any] | None], None]
"""Is told a shard, which fraction of it is done and, when it is made or found, its record."""

HearWaiting = Callable[[Shard, str], None]
"""Is told, once, that a shard is waited for and which process is making it."""


def compress_shards(
    cut: Cut,
    out: str | Path,
    start: Callable[[], Engine],
    tell: HearShard = lambda shard, done, record: None,
    force: bool = False,
    tell_waiting: HearWaiting = lambda shard, holder: None,
) -> list[dict[str, Any]]:
    """Makes each shard of `cut` a file in `out` and, at the end, the index; returns the shards' records in order.

    Whole files that are there already are kept. The files are the same bytes on every engine, however often it was
    stopped. The engine is started when `out` is found to be the cut's or free, and closed at the end.

        cut = make_cut("big/", spec)
        records = compress_shards(cut, "small/", lambda: Processes(4))

    Raises:
        CompressError: as `begin` and `make_shard`.
        WorkerLost: the processes that made the shards named died; the other shards are made.
        OSError: a file cannot be read or written.
    """
    out = Path(out)
    begin(cut, out, force)
    engine = start()
    try:
        records = _run(cut, out, engine, tell, tell_waiting)
    except BaseException:
        engine.close(now=True)
        raise
    engine.close()
    if not is_current(cut.sha256, out):
        raise CompressError(f"{out}: another command began it anew with other settings")
    files = {record["file"]: ShardFile(record["bytes"], record["sha256"]) for record in records}
    places = {name: shard.file for shard in cut.shards for name in (*shard.layers, *shard.params)}
    write_index(out / cut.index_file, files, places, cut.settings)
    return records


def _run(
    cut: Cut, out: Path, engine: Engine, tell: HearShard, tell_waiting: HearWaiting
) -> list[dict[str, Any]]:
    def submit(shard: Shard) -> None:
        futures[engine.submit(make_shard, Task.of(cut, out, shard))] = shard

    futures: dict[Future, Shard] = {}
    records: dict[str, dict[str, Any]] = {}
    lost: list[str] = []
    waited_for: set[str] = set()
    for shard in cut.shards:
        submit(shard)
    while futures:
        done, _ = wait(futures, timeout=_PERIOD, return_when=FIRST_COMPLETED)
        busy: list[Shard] = []
        for future in done:
            shard = futures.pop(future)
            try:
                record = future.result()
            except WorkerLost as error:
                lost.append(f"{shard.file}: {error}")
                continue
            if isinstance(record, Busy):
                busy.append(shard)
                if shard.name not in waited_for:
                    waited_for.add(shard.name)
                    tell_waiting(shard, record.holder)
            else:
                records[shard.name] = record
                tell(shard, 1.0, record)
        for shard in (*futures.values(), *busy):
            tell(shard, progress_of(out, shard), None)
        if busy:
            if futures:
                wait(futures, timeout=_PERIOD)
            else:
                time.sleep(_PERIOD)  # without futures `wait` returns at once
        for shard in busy:
            submit(shard)
    if lost:
        raise WorkerLost(f"{len(lost)} of {len(cut.shards)} shards were not made ({'; '.join(lost)})")
    return [records[shard.name] for shard in cut.shards]
