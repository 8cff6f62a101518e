"""`xorjax dashboard`: a page that shows a run directory while sweeps write to it."""

import argparse
import os
import webbrowser
from pathlib import Path
from typing import Any

from xorjax.commands.errors import CommandError, refusing
from xorjax.files import check_name

DESCRIPTION = """\
Serves one page that follows a run directory: the progress of every point and stage, failures as they happen, training
curves, and the report as it grows. It only reads, needs no network, and may be started before the sweep or after it.
Ctrl-C ends it.
"""
EXAMPLE = """\
example: xorjax dashboard runs --open. On another machine: ssh -L 8765:127.0.0.1:8765 HOST xorjax dashboard runs
"""


def add_to(commands) -> None:
    parser = commands.add_parser(
        "dashboard", help="follow a run directory in a browser", description=DESCRIPTION, epilog=EXAMPLE
    )
    parser.add_argument(
        "runs",
        metavar="RUNS",
        nargs="?",
        default=os.environ.get("XORJAX_RUNS") or "runs",
        help="the run directory, which need not exist yet (default XORJAX_RUNS, else runs)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to serve at (default 127.0.0.1: this machine alone)",
    )
    parser.add_argument(
        "--port", type=port, default=8765, help="the port to serve at, 0 for any free one (default 8765)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def run(args: argparse.Namespace) -> dict[str, Any]:
    runs = Path(args.runs).absolute()
    if runs.exists() and not runs.is_dir():
        raise CommandError(f"{args.runs}: it is a file, expected a run directory")
    with refusing():
        check_name(runs)
    from xorjax.dashboard.server import DashboardServer, is_local
    from xorjax.dashboard.watch import Watcher

    try:
        server = DashboardServer(Watcher(runs), args.host, args.port)
    except OSError as error:
        raise CommandError(
            f"{args.host}:{args.port}: {error.strerror or error}; --port 0 takes any free port"
        ) from error
    with server:
        _tell(args, runs, server.url, is_local(args.host))
        if args.open:
            webbrowser.open(server.url)
        server.serve_forever()
    return {}


def show(result: dict[str, Any]) -> None:
    """Nothing is left to show: `run` ends by Ctrl-C."""


def _tell(args: argparse.Namespace, runs: Path, url: str, local: bool) -> None:
    if args.json:
        import json

        print(json.dumps({"command": "dashboard", "url": url, "runs": str(runs)}), flush=True)
        return
    print(f"{url} follows {runs}{'' if runs.exists() else ', which is not there yet'}; Ctrl-C ends it")
    if not local:
        print("whoever reaches this address can read what the run directory says")


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number
