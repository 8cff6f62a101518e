"""`xorjax verify`: every checksum and every invariant, and every plane decoded and compared with its hash."""

import argparse
from typing import Any

from xorjax.commands.errors import refusing
from xorjax.commands.tables import say

DESCRIPTION = (
    "Checks all of a file and decodes every plane; exit code 1, and the tensor's name, if anything is wrong."
)


def add_to(commands) -> None:
    parser = commands.add_parser("verify", help="check all of a file", description=DESCRIPTION)
    parser.add_argument("file", metavar="FILE")
    parser.set_defaults(run=run, show=show)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container import verify

    with refusing():
        planes = verify(args.file)
    return {"command": "verify", "file": args.file, "planes": planes, "ok": True}


def show(result: dict[str, Any]) -> None:
    n = len(result["planes"])
    say(
        f"{result['file']}: whole; {n} plane{'' if n == 1 else 's'} decoded, each with the SHA-256 that was stored"
    )
