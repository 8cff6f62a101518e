"""`xorjax verify`: every checksum and every invariant, and every plane decoded and compared with its hash."""

import argparse
from typing import Any

from xorjax.commands.errors import refusing

DESCRIPTION = (
    "Checks all of a file and decodes every plane; exit code 1, and the tensor's name, if anything is wrong. FILE may "
    "be a directory of shards, or its index: then every shard, one after the other."
)


def add_to(commands) -> None:
    parser = commands.add_parser("verify", help="check all of a file", description=DESCRIPTION)
    parser.add_argument("file", metavar="FILE")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container import verify
    from xorjax.container.index import find_index, read_index, verify_shard

    result = {"command": "verify", "file": args.file, "ok": True}
    with refusing():
        if found := find_index(args.file):
            index = read_index(found)
            shards = {file: verify_shard(index, file) for file in sorted(index.files)}
            planes = [plane for of_shard in shards.values() for plane in of_shard]
            return {**result, "planes": planes, "shards": list(shards)}
        return {**result, "planes": verify(args.file)}


def show(result: dict[str, Any]) -> None:
    n = len(result["planes"])
    what = f"{len(result['shards'])} shards, " if "shards" in result else ""
    what += "1 plane" if n == 1 else f"{n} planes"
    print(f"{result['file']}: whole; {what} decoded, each with the SHA-256 that was stored")
