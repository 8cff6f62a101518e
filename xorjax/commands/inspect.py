"""`xorjax inspect`: what a compressed file holds, bits per weight by stream."""

import argparse
from pathlib import Path
from typing import Any

from xorjax.commands.errors import refusing
from xorjax.commands.sharded import describe_shards
from xorjax.commands.tables import describe_model, print_layers, print_parts

DESCRIPTION = (
    "Shows layers, shapes and bits per weight by stream, and what the whole file is spent on, in bits per parameter. "
    "The file is checked as `load` does; see also verify. FILE may be a directory of shards, or its index."
)


def add_to(commands) -> None:
    parser = commands.add_parser("inspect", help="show layers and bits by stream", description=DESCRIPTION)
    parser.add_argument("file", metavar="FILE")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.compression.describe import describe_sizes
    from xorjax.container import load
    from xorjax.container.index import find_index, read_index

    with refusing():
        if found := find_index(args.file):
            index = read_index(found)
            described, files = describe_shards(index), [found.parent / file for file in index.files]
        else:
            described, files = describe_model(load(args.file)), [Path(args.file)]
        sizes = describe_sizes(files, described["layers"], described["params"])
    return {"command": "inspect", "file": args.file, **sizes, **described}


def show(result: dict[str, Any]) -> None:
    print_layers(result)
    print_parts(result)
    shards = f", {len(result['shards'])} files" if "shards" in result else ""
    print(f"{len(result['params'])} other tensors{shards}")
    for name, value in sorted(result["metadata"].items()):
        print(f"{name}: {value}")
