"""The directory that shards are written to. The first command begins it for its cut; later ones must have the same cut.

`OUT/.work/plan.json` says what is cut and how it is compressed; the artifacts of the shards lie beside it. A command
that wants something else is refused, so that all files of a directory belong together, however often the work was
stopped and however many commands share it.
"""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.artifacts.claims import Claimed, alone, claim
from xorjax.artifacts.graph import Stage
from xorjax.compression.cut import Cut
from xorjax.compression.errors import CompressError
from xorjax.container.index import SHARD_SUFFIX
from xorjax.files import sha256, write_text

_SHARD = "shard"
_HASH = 10


def work_of(out: Path) -> Path:
    """Where plan and artifacts lie."""
    return out / ".work"


def shard_stage(cut_sha256: str, shard: str) -> Stage:
    """A shard as the stage of its cut."""
    return Stage(_SHARD, f"{shard}-{cut_sha256[:_HASH]}")


def begin(cut: Cut, out: Path, force: bool = False) -> None:
    """Makes `out` the directory of this cut, or finds that it is; `force` starts anew whatever it was begun with.

    Raises:
        CompressError: `out` is not empty and no such directory, or was begun otherwise; the message names what
            differs. With `force`: another command is at work there.
        OSError: it cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise CompressError(f"{out}: it is a file, expected a directory: shards are written to one")
    work, path = work_of(out), _plan(out)
    if not force and not path.exists() and out.is_dir() and _visible(out):
        raise CompressError(f"{out}: it is not empty and holds no compressed shards; --force writes into it")
    Path(os.path.realpath(out)).mkdir(parents=True, exist_ok=True)  # where a link leads to
    work.mkdir(exist_ok=True)
    with alone(work, "plan", "shards"):
        if path.exists() and not force:
            _compare(out, _read(path), json.loads(cut.text))
            return
        if force:
            _clear(out, cut)
        write_text(path, cut.text)


def check_current(cut_sha256: str, out: Path) -> None:
    """Raises CompressError: `out` is no longer of the cut; another command's --force made it another's."""
    path = _plan(out)
    if not path.exists() or sha256(path) != cut_sha256:
        raise CompressError(f"{out}: another command began it anew with other settings")


def _plan(out: Path) -> Path:
    return work_of(out) / "plan.json"


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
    """Removes the plan, the index and the shards that were begun before.

    The plan may be damaged or gone. The claims then tell which shards were begun, and the index is most likely the one
    of `cut`.

    Raises:
        CompressError: another command is making one of the shards.
    """
    work, path, index = work_of(out), _plan(out), cut.index_file
    prefix = paths.claim_file(work, _SHARD, "").name
    claims = paths.claim_file(work, _SHARD, "*")
    stages = {claimed.name.removeprefix(prefix) for claimed in claims.parent.glob(claims.name)}
    with suppress(CompressError, FileNotFoundError):
        begun = _read(path)
        stages |= {shard_stage(sha256(path), shard["name"]).name for shard in begun["shards"]}
        index = begun.get("index", index)
    with ExitStack() as held:
        files = []
        for stage in sorted(stages):
            file = stage[: -_HASH - 1] + SHARD_SUFFIX
            try:
                held.enter_context(claim(work, Stage(_SHARD, stage)))
            except Claimed as error:
                raise CompressError(f"{out}: another command is making {file} ({error})") from error
            files.append(out / file)
        for file in (path, out / index, *files):
            file.unlink(missing_ok=True)
        if (work / _SHARD).exists():
            shutil.rmtree(work / _SHARD)


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
