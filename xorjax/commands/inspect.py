"""`xorjax inspect`: what a compressed file holds, bits per weight by stream."""

import argparse
from pathlib import Path
from typing import Any

from xorjax.commands.errors import refusing
from xorjax.commands.sharded import describe_shards
from xorjax.commands.tables import describe_model, megabytes, print_layers, say_shared

DESCRIPTION = (
    "Shows layers, shapes and bits per weight by stream. The file is checked as `load` does; see also verify. FILE may "
    "be a directory of shards, or its index."
)


def add_to(commands) -> None:
    parser = commands.add_parser("inspect", help="show layers and bits by stream", description=DESCRIPTION)
    parser.add_argument("file", metavar="FILE")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container import load
    from xorjax.container.index import find_index, read_index

    with refusing():
        if found := find_index(args.file):
            index = read_index(found)
            size, described = index.n_bytes, describe_shards(index)
        else:
            described = describe_model(load(args.file))
            size = Path(args.file).stat().st_size
    return {"command": "inspect", "file": args.file, "file_bytes": size, **described}


def show(result: dict[str, Any]) -> None:
    print_layers(result)
    say_shared(result)
    kept = sum(param["bytes"] for param in result["params"])
    what = f"the {len(result['shards'])} files" if "shards" in result else "the file"
    print(
        f"{len(result['params'])} other tensors, {megabytes(kept)}; {what}: {megabytes(result['file_bytes'])}"
    )
    for name, value in sorted(result["metadata"].items()):
        print(f"{name}: {value}")
