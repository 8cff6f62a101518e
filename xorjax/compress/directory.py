"""The directory that shards are written to: begun under one plan, which every later command is held against.

`OUT/.work` holds the plan, a lock and a record for each shard, and how far it is. A command whose plan differs is
refused, so that the files of a directory are of one run, however often it was stopped and however many commands share
it.
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from xorjax.compress.plan import Plan
from xorjax.container.shards import INDEX_SUFFIX, SHARD_SUFFIX
from xorjax.files import sha256, write_text


def work_of(out: Path) -> Path:
    """Where plan, records, locks and progress lie."""
    return out / ".work"


def shard_lock(out: Path, shard: str) -> FileLock:
    """Held by who makes the shard, on every machine; the kernel frees it if that process dies."""
    return FileLock(work_of(out) / f"{shard}.lock")


def begin(plan: Plan, out: Path, force: bool = False) -> None:
    """Makes `out` the directory of this plan, or finds that it is; `force` starts anew where it is another's.

    Raises:
        ValueError: `out` is not empty and no such directory, or was begun otherwise; the message names what differs.
            With `force`: another command is at work there.
        OSError: it cannot be written.
    """
    if out.is_file():
        raise ValueError(f"{out}: it is a file, expected a directory: shards are written to one")
    work = work_of(out)
    path = work / "plan.json"
    if not force and not path.exists() and out.is_dir() and _visible(out):
        raise ValueError(f"{out}: it is not empty and holds no compressed shards; --force writes into it")
    work.mkdir(parents=True, exist_ok=True)
    with FileLock(work / "plan.lock"):
        begun = _read(path)
        if force and begun is not None:
            _clear(out, begun)
        if force or begun is None:
            write_text(path, plan.text)
        else:
            _compare(out, begun, json.loads(plan.text))


def is_current(plan_sha256: str, out: Path) -> bool:
    """Whether `out` is still of the plan; another command's --force may have made it another's."""
    path = work_of(out) / "plan.json"
    return path.exists() and sha256(path) == plan_sha256


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: it is damaged; remove the directory and start anew") from error


def _visible(out: Path) -> list[Path]:
    return [path for path in out.iterdir() if path != work_of(out)]


def _clear(out: Path, begun: Mapping[str, Any]) -> None:
    """Removes what was made under the plan that is there, unless somebody is making it."""
    shards = [shard["name"] for shard in begun["shards"]]
    with ExitStack() as held:
        for shard in shards:
            try:
                held.enter_context(shard_lock(out, shard).acquire(blocking=False))
            except Timeout as error:
                raise ValueError(f"{out}: another command is making {shard}{SHARD_SUFFIX}") from error
        for path in (work_of(out) / "plan.json", *out.glob(f"*{INDEX_SUFFIX}")):
            path.unlink()
        for shard in shards:
            (out / f"{shard}{SHARD_SUFFIX}").unlink(missing_ok=True)
            (work_of(out) / f"{shard}.json").unlink(missing_ok=True)


def _compare(out: Path, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Whether the directory was begun as is wanted.

    Raises:
        ValueError: it was not; the message names the setting or the file.
    """
    anew = "--force starts anew"
    if begun == wanted:
        return
    for name in sorted({*begun["settings"], *wanted["settings"]}):
        was, now = (plan["settings"].get(name) for plan in (begun, wanted))
        if was != now:
            raise ValueError(
                f"{out}: it was begun with {name} {json.dumps(was)}, not {json.dumps(now)}; {anew}"
            )
    for name in sorted({*begun["files"], *wanted["files"]}):
        was, now = (plan["files"].get(name) for plan in (begun, wanted))
        if was is None or now is None:
            raise ValueError(
                f"{out}: it was begun {'without' if was is None else 'with'} the input {name}; {anew}"
            )
        if was != now:
            raise ValueError(
                f"{out}: the input {name} has changed since this was begun ({_changed(was, now)}); {anew}"
            )
    raise ValueError(f"{out}: it was begun by another version of xorjax; {anew}")


def _changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if was["bytes"] != now["bytes"]:
        return f"it had {was['bytes']} bytes and has {now['bytes']}"
    if was["header_sha256"] != now["header_sha256"]:
        return "its header is another"
    return "it was written since"
