"""The directory that shards are written to: begun for one cut, which every later command's is held against.

`OUT/.work` holds in plan.json what was cut and how it is compressed, a lock and a record for each shard, and how far
it is. A command that wants something else is refused, so that the files of a directory are of one run, however often
it was stopped and however many commands share it.
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any

from xorjax.compression.cut import Cut
from xorjax.compression.errors import CompressError
from xorjax.container.index import SHARD_SUFFIX
from xorjax.files import sha256, write_text
from xorjax.locks import Locked, try_for, wait_for


def work_of(out: Path) -> Path:
    """Where plan, records, locks and progress lie."""
    return out / ".work"


def shard_lock(out: Path, shard: str) -> AbstractContextManager[None]:
    """Held by who makes the shard, on every machine; raises `Locked` where another has it."""
    return try_for(_lock_file(out, shard))


def begin(cut: Cut, out: Path, force: bool = False) -> None:
    """Makes `out` the directory of this cut, or finds that it is; `force` starts anew whatever it was begun with.

    Raises:
        CompressError: `out` is not empty and no such directory, or was begun otherwise; the message names what differs.
            With `force`: another command is at work there.
        OSError: it cannot be written.
    """
    if out.is_file():
        raise CompressError(f"{out}: it is a file, expected a directory: shards are written to one")
    work, path = work_of(out), _plan(out)
    if not force and not path.exists() and out.is_dir() and _visible(out):
        raise CompressError(f"{out}: it is not empty and holds no compressed shards; --force writes into it")
    work.mkdir(parents=True, exist_ok=True)
    with wait_for(work / "plan.lock"):
        if path.exists() and not force:
            _compare(out, _read(path), json.loads(cut.text))
            return
        if force:
            _clear(out, cut)
        write_text(path, cut.text)


def is_current(cut_sha256: str, out: Path) -> bool:
    """Whether `out` is still of the cut; another command's --force may have made it another's."""
    path = _plan(out)
    return path.exists() and sha256(path) == cut_sha256


def _plan(out: Path) -> Path:
    return work_of(out) / "plan.json"


def _lock_file(out: Path, shard: str) -> Path:
    return work_of(out) / f"{shard}.lock"


def _read(path: Path) -> dict[str, Any]:
    try:
        begun = json.loads(path.read_text())
        if isinstance(begun, dict) and {"settings", "files", "shards"} <= begun.keys():
            return begun
        reason = "it lacks its settings, files or shards"
    except ValueError as error:
        reason = str(error)
    raise CompressError(f"{path}: it is damaged ({reason}); --force starts anew")


def _visible(out: Path) -> list[Path]:
    return [path for path in out.iterdir() if path != work_of(out)]


def _clear(out: Path, cut: Cut) -> None:
    """Removes what was made before, unless somebody is making it: the shards that were begun, and their index.

    The plan that is there may be damaged or gone: who began a shard left its lock, and the index is most likely that of
    `cut`.
    """
    shards, index = {lock.stem for lock in work_of(out).glob("*.lock")} - {"plan"}, cut.index_file
    with suppress(ValueError, FileNotFoundError):
        begun = _read(_plan(out))
        shards |= {shard["name"] for shard in begun["shards"]}
        index = begun.get("index", index)
    with ExitStack() as held:
        for shard in sorted(shards):
            try:
                held.enter_context(shard_lock(out, shard))
            except Locked as error:
                raise CompressError(
                    f"{out}: another command is making {shard}{SHARD_SUFFIX} ({error})"
                ) from error
        for path in (_plan(out), out / index):
            path.unlink(missing_ok=True)
        for shard in shards:
            (out / f"{shard}{SHARD_SUFFIX}").unlink(missing_ok=True)
            (work_of(out) / f"{shard}.json").unlink(missing_ok=True)


def _compare(out: Path, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Whether the directory was begun as is wanted.

    Raises:
        CompressError: it was not; the message names the setting or the file.
    """
    anew = "--force starts anew"
    if begun == wanted:
        return
    for name in sorted({*begun["settings"], *wanted["settings"]}):
        was, now = (plan["settings"].get(name) for plan in (begun, wanted))
        if was != now:
            raise CompressError(
                f"{out}: it was begun with {name} {json.dumps(was)}, not {json.dumps(now)}; {anew}"
            )
    for name in sorted({*begun["files"], *wanted["files"]}):
        was, now = (plan["files"].get(name) for plan in (begun, wanted))
        if was is None or now is None:
            raise CompressError(
                f"{out}: it was begun {'without' if was is None else 'with'} the input {name}; {anew}"
            )
        if was != now:
            raise CompressError(
                f"{out}: the input {name} has changed since this was begun ({_changed(was, now)}); {anew}"
            )
    raise CompressError(f"{out}: it was begun by another version of xorjax; {anew}")


def _changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if was["bytes"] != now["bytes"]:
        return f"it had {was['bytes']} bytes and has {now['bytes']}"
    if was["header_sha256"] != now["header_sha256"]:
        return "its header is another"
    return "it was written since"
