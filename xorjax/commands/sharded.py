"""What the commands do with a checkpoint in shards: compress to a directory, and read one as a whole."""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xorjax.commands.errors import CommandError, UsageError, check_directory, check_not_input, refusing
from xorjax.commands.progress import Bar, progress
from xorjax.commands.tables import describe_model, megabytes

if TYPE_CHECKING:
    from xorjax.compression import Checkpoint, CompressSpec
    from xorjax.compression.cut import Cut, Shard
    from xorjax.container.index import ShardIndex

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def add_shard_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "shard by shard",
        "With --jobs or --ray OUT is a directory: a file for each shard of IN, each final when it is made, and "
        "an index. Memory grows with the largest tensor, not with the model. Run the same command to resume one "
        "that was stopped.",
    )
    group.add_argument(
        "--jobs", type=int, metavar="N", help="shards made at once, by processes of this machine"
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="on a Ray cluster instead, whose machines see the same paths: host:port, auto, or local (one of its own); "
        "give it last or as --ray=ADDRESS",
    )
    group.add_argument(
        "--shard-size",
        metavar="SIZE",
        help="input in a shard where IN is one file, such as 500MB (default 1GB)",
    )


def check_shard_options(args: argparse.Namespace) -> bool:
    """Whether OUT is a directory of shards.

    Raises:
        UsageError: the options do not go together.
    """
    sharded = args.jobs is not None or args.ray is not None
    if args.jobs is not None and args.ray is not None:
        raise UsageError(
            "one of --jobs and --ray is expected: a cluster runs as many shards as it has room for"
        )
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"argument --jobs: invalid value: {args.jobs} (1 or more)")
    if args.shard_size is not None and not sharded:
        raise UsageError("argument --shard-size: without --jobs or --ray OUT is one file")
    _shard_bytes(args)
    return sharded


def _shard_bytes(args: argparse.Namespace) -> int | None:
    if args.shard_size is None:
        return None
    found = re.fullmatch(r"(\d+)\s*(KB|MB|GB|)", args.shard_size.upper())
    if found is None or int(found[1]) == 0:
        raise UsageError(f"argument --shard-size: invalid value: {args.shard_size!r} (such as 500MB)")
    return int(found[1]) * _UNITS[found[2]]


def compress_to_directory(
    args: argparse.Namespace, checkpoint: "Checkpoint", spec: "CompressSpec"
) -> dict[str, Any]:
    from xorjax.compression.cut import make_cut
    from xorjax.compression.describe import describe_sizes

    out = Path(args.output)
    check_directory(args.output)
    with refusing(args.input):
        cut = make_cut(args.input, spec, args.mask, _shard_bytes(args))
    check_not_input(args.output, [cut.directory])
    records = _make(args, cut, out)
    merged = _merged(records)
    files = [out / record["file"] for record in records]
    return {
        "input_bytes": checkpoint.n_bytes,
        **describe_sizes(files, merged["layers"], merged["params"]),
        "index": str(out / cut.index_file),
        "shards": [
            {key: record[key] for key in ("file", "bytes", "input_bytes", "state", "seconds", "peak_bytes")}
            for record in records
        ],
        "metadata": dict(checkpoint.metadata),
        **merged,
    }


def _make(args: argparse.Namespace, cut: "Cut", out: Path) -> list[dict[str, Any]]:
    from xorjax import engines
    from xorjax.compression.run import compress_shards

    done: set[str] = set()
    sizes = {shard.name: shard.n_weights for shard in cut.shards}
    # Ray says on standard output what it does about a node that was lost.
    with refusing(), redirect_stdout(sys.stderr), progress(sizes, args.json) as bar:

        def tell(shard: "Shard", fraction: float, record: dict[str, Any] | None) -> None:
            if record is None:
                bar.update(shard.name, fraction)
                return
            done.add(shard.name)
            _say_made(bar, shard, record, f"{len(done)} of {len(cut.shards)}")

        def tell_waiting(shard: "Shard", holder: str) -> None:
            bar.say(f"{shard.file} is being made by {holder}; waiting for it")

        def tell_again(shard: "Shard", reason: str) -> None:
            bar.say(f"{shard.file}: {reason}; it is tried again")

        def start() -> engines.Engine:
            if args.ray is not None:
                return engines.Ray(args.ray or None)
            return engines.Processes(min(args.jobs, len(cut.shards)))

        try:
            return compress_shards(cut, out, start, tell, args.force, tell_waiting, tell_again)
        except OSError as error:
            raise CommandError(
                f"{error.filename or args.output}: {error.strerror or error}; fix this, then run the same command to "
                "resume"
            ) from error
        except engines.EngineError as error:
            raise CommandError(str(error)) from error
        except engines.WorkerLost as error:
            raise CommandError(
                f"{args.output}: {error}; run the same command to resume, with fewer --jobs if memory ran out"
            ) from error
        except KeyboardInterrupt:
            print(
                f"xorjax: {len(done)} of {len(cut.shards)} shards of {args.output} are finished; run the same command "
                "to resume",
                file=sys.stderr,
            )
            raise


def _say_made(bar: Bar, shard: "Shard", record: dict[str, Any], count: str) -> None:
    if record["state"] == "found":
        bar.skip(shard.name)
        bar.say(f"{record['file']}: made before; {count}")
        return
    bar.update(shard.name, 1.0)
    if record["state"] != "made":
        what = "gone" if record["state"] == "missing" else "damaged (its SHA-256 is not the one recorded)"
        bar.say(f"{record['file']}: it was {what} and has been rebuilt")
    sizes = f"{megabytes(record['bytes'])} of {megabytes(record['input_bytes'])}"
    bar.say(f"{record['file']}: {sizes}, {record['seconds']:.0f} s; {count}{bar.left}")


def describe_shards(index: "ShardIndex") -> dict[str, Any]:
    """`describe_model` of all files of an index, one at a time in memory."""
    from xorjax.container.index import load_shard

    described = [{"file": file, **describe_model(load_shard(index, file))} for file in sorted(index.files)]
    return {
        "shards": [{"file": file, "bytes": index.files[file].n_bytes} for file in sorted(index.files)],
        "metadata": {key: value for shard in described for key, value in shard["metadata"].items()},
        **_merged(described),
    }


def _merged(shards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `describe_model` says of one file, of all shards: each entry with its file."""
    from xorjax.compression.describe import totals

    merged = {
        key: [{**entry, "file": shard["file"]} for shard in shards for entry in shard[key]]
        for key in ("layers", "params")
    }
    return {**merged, "totals": totals(merged["layers"])}
