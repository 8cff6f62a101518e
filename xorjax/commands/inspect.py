"""`xorjax inspect`: what a compressed file holds, bits per weight by stream."""

import argparse
from pathlib import Path
from typing import Any

from xorjax.commands.errors import refusing
from xorjax.commands.tables import describe_model, megabytes, print_layers, say, say_networks

DESCRIPTION = (
    "Shows layers, shapes and bits per weight by stream. The file is checked as `load` does; see also verify."
)


def add_to(commands) -> None:
    parser = commands.add_parser("inspect", help="show layers and bits by stream", description=DESCRIPTION)
    parser.add_argument("file", metavar="FILE")
    parser.set_defaults(run=run, show=show)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container import load

    with refusing():
        model = load(args.file)
    size = Path(args.file).stat().st_size
    return {"command": "inspect", "file": args.file, "file_bytes": size, **describe_model(model)}


def show(result: dict[str, Any]) -> None:
    print_layers(result)
    say_networks(result)
    kept = sum(param["bytes"] for param in result["params"])
    say(
        f"{len(result['params'])} other tensors, {megabytes(kept)}; the file: {megabytes(result['file_bytes'])}"
    )
    for name, value in sorted(result["metadata"].items()):
        say(f"{name}: {value}")
