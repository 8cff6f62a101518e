"""A checkpoint that need not fit in memory: its shards on an engine, each final when it is made, then their index."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xorjax.artifacts.artifact import ArtifactError, existing
from xorjax.artifacts.graph import Stage
from xorjax.artifacts.run import Failure
from xorjax.artifacts.schedule import Listener, Schedule
from xorjax.compression.cut import Cut, Shard
from xorjax.compression.directory import begin, check_current, work_of
from xorjax.compression.shard import progress_of, shard_node
from xorjax.container.index import ShardFile, write_index
from xorjax.engines import Engine, WorkerLost

HearShard = Callable[[Shard, float, dict[str, Any] | None], None]
"""Is told a shard, which fraction of it is done and, when it is made or found, its record."""

HearNews = Callable[[Shard, str], None]
"""Is told a shard and which process is making it, once, or why it is tried again."""


def compress_shards(
    cut: Cut,
    out: str | Path,
    start: Callable[[], Engine],
    tell: HearShard = lambda shard, done, record: None,
    force: bool = False,
    tell_waiting: HearNews = lambda shard, holder: None,
    tell_again: HearNews = lambda shard, reason: None,
) -> list[dict[str, Any]]:
    """Makes each shard of `cut` a file in `out` and, at the end, the index; returns the shards' records in order.

    Whole files that are there already are kept. The files are the same bytes on every engine, however often it was
    stopped. The engine is started when `out` is found to be the cut's or free, and closed at the end.

        cut = make_cut("big/", spec)
        records = compress_shards(cut, "small/", lambda: Processes(4))

    A record says under "state" that a shard was "found" whole, "made", or "damaged" or "missing" and made again.

    Raises:
        CompressError: as `begin` and `build_shard`.
        WorkerLost: the processes that made the shards named died, each several times; the other shards are made.
        OSError: a file cannot be read or written.
    """
    out = Path(out)
    begin(cut, out, force)
    shards = _Shards(cut, out.absolute(), tell, tell_waiting, tell_again)
    shards.make(start())
    check_current(cut.sha256, out)
    records = [shards.records[name] for name in shards.nodes]
    files = {record["file"]: ShardFile(record["bytes"], record["sha256"]) for record in records}
    places = {name: shard.file for shard in cut.shards for name in (*shard.layers, *shard.params)}
    write_index(out / cut.index_file, files, places, cut.settings)
    return records


class _Shards(Listener):
    """The shards of one command by their stages' names, and what becomes of them as the schedule tells it."""

    def __init__(self, cut: Cut, out: Path, tell: HearShard, tell_waiting: HearNews, tell_again: HearNews):
        self.out, self.tell, self.tell_waiting, self.tell_again = out, tell, tell_waiting, tell_again
        self.command = secrets.token_hex(8)
        nodes = [shard_node(cut, out, shard, self.command) for shard in cut.shards]
        self.nodes = {node.stage.name: node for node in nodes}
        self.shards = dict(zip(self.nodes, cut.shards, strict=True))
        self.records: dict[str, dict[str, Any]] = {}
        self.bad: dict[str, str] = {}
        self.lost: list[str] = []

    def make(self, engine: Engine) -> None:
        goals = {name: [node] for name, node in self.nodes.items()}
        Schedule(goals, work_of(self.out), engine, self, self.finish, self.fail, look=self.look).run()
        engine.close()
        if self.lost:
            n = f"{len(self.lost)} of {len(self.nodes)} shards were not made"
            raise WorkerLost(f"{n} ({'; '.join(self.lost)})")

    def finish(self, name: str) -> None:
        """Takes the record of a shard that is there; one that this command did not make is looked at first."""
        artifact = existing(work_of(self.out), self.nodes[name].stage)
        state = self.bad.get(name, "made")
        if artifact.summary["command"] != self.command:
            state = "found"
            try:
                artifact.check()
            except ArtifactError:
                there = (self.out / self.shards[name].file).exists()
                self.bad[name] = "damaged" if there else "missing"
                raise
        (sha256,) = artifact.files.values()
        more = {"sha256": sha256, "seconds": artifact.seconds, "state": state}
        self.records[name] = artifact.summary | more
        self.tell(self.shards[name], 1.0, self.records[name])

    def fail(self, name: str, failure: Failure) -> None:
        """A worker that is lost leaves the other shards to be made; anything else ends the command."""
        if not isinstance(failure.raised, WorkerLost):
            raise failure.raised
        self.lost.append(f"{self.shards[name].file}: {failure.error}")

    def look(self) -> None:
        for name in self.nodes.keys() - self.records.keys():
            if done := progress_of(self.out, self.nodes[name]):
                self.tell(self.shards[name], done, None)

    def waiting(self, stage: Stage, holder: str) -> None:
        self.tell_waiting(self.shards[stage.name], holder)

    def again(self, stage: Stage, reason: str) -> None:
        if stage.name not in self.bad:
            self.tell_again(self.shards[stage.name], reason)
