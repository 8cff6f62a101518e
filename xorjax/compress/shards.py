"""A checkpoint that need not fit in memory: its shards on an engine, each final when it is made, then their index.

Which shards are done is asked of the directory alone, by the workers: so a command that was killed goes on, and two
commands share the work.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from xorjax.compress.directory import begin, is_current
from xorjax.compress.plan import Plan, Shard
from xorjax.compress.shard import Task, make_shard, progress_of
from xorjax.container.shards import ShardFile, write_index
from xorjax.engines import Engine, WorkerLost

# Seconds between two looks at how far the workers are, and at a shard that another command is making.
_PERIOD = 0.5

Told = Callable[[Shard, float, dict[str, Any] | None], None]
"""Is told a shard, which fraction of it is done and, when it is made or found, its record."""


def compress_shards(
    plan: Plan,
    out: str | Path,
    start: Callable[[], Engine],
    tell: Told = lambda shard, done, record: None,
    force: bool = False,
) -> list[dict[str, Any]]:
    """Makes each shard of `plan` a file in `out` and, at the end, the index; returns the shards' records in order.

    Whole files that are there already are kept. The files are the same bytes on every engine, however often it was
    stopped. The engine is started when `out` is found to be the plan's or free, and closed at the end.

        plan = make_plan("big/", spec)
        records = compress_shards(plan, "small/", lambda: processes(4))

    Raises:
        ValueError: as `begin` and `make_shard`.
        WorkerLost: the processes that made the shards named died; the other shards are made.
        OSError: a file cannot be read or written.
    """
    out = Path(out)
    begin(plan, out, force)
    engine = start()
    try:
        records = _run(plan, out, engine, tell)
    except BaseException:
        engine.close(now=True)
        raise
    engine.close()
    if not is_current(plan.sha256, out):
        raise ValueError(f"{out}: another command began it anew with other settings")
    files = {record["file"]: ShardFile(record["bytes"], record["sha256"]) for record in records}
    places = {name: shard.file for shard in plan.shards for name in (*shard.layers, *shard.params)}
    write_index(out / plan.index_file, files, places, plan.settings)
    return records


def _run(plan: Plan, out: Path, engine: Engine, tell: Told) -> list[dict[str, Any]]:
    def submit(shard: Shard) -> None:
        futures[engine.submit(make_shard, Task.of(plan, out, shard))] = shard

    futures: dict[Future, Shard] = {}
    records: dict[str, dict[str, Any]] = {}
    lost: list[str] = []
    for shard in plan.shards:
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
            if record is None:
                busy.append(shard)
            else:
                records[shard.name] = record
                tell(shard, 1.0, record)
        for shard in (*futures.values(), *busy):
            tell(shard, progress_of(out, shard), None)
        if busy:
            wait(futures, timeout=_PERIOD)
        for shard in busy:
            submit(shard)
    if lost:
        raise WorkerLost(f"{len(lost)} of {len(plan.shards)} shards were not made ({'; '.join(lost)})")
    return [records[shard.name] for shard in plan.shards]
