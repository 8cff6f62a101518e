"""The `xorjax` command: arguments in, one table or one JSON object out, exit code 0, 1 (bad input) or 2 (usage).

A bug shows its traceback; its exit code is 1 too.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from xorjax import __version__
from xorjax.commands import COMMANDS
from xorjax.commands.errors import UsageError
from xorjax.commands.options import CommandParser
from xorjax.commands.tables import for_json
from xorjax.errors import UserError
from xorjax.program import interruptible, run_program, wrong_variable


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; with `--json` standard output is one JSON object, also when the input is refused."""
    return run_program(lambda: _run(argv), "xorjax: error")


def _run(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        with interruptible():
            result = args.run(args)
            if args.json:
                print(json.dumps(for_json(result), allow_nan=False))
            else:
                args.show(result)
    except UsageError as error:
        args.parser.error(str(error))
    except (UserError, ValueError) as error:
        wrong = wrong_variable(error)
        if wrong is None and not isinstance(error, UserError):
            raise
        message = " ".join((wrong or str(error)).split())
        print(f"xorjax: error: {message}", file=sys.stderr)
        if args.json:
            print(json.dumps({"error": message}))
        return 1
    except KeyboardInterrupt:
        print("xorjax: interrupted", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="xorjax",
        description="Pruned, binarized networks as code words of a random XOR-gate network.",
        epilog="`xorjax COMMAND --help` says more. Every command takes --json.",
    )
    parser.add_argument("--version", action="version", version=f"xorjax {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    for command, subparser in zip(COMMANDS, commands.choices.values(), strict=True):
        subparser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        subparser.set_defaults(parser=subparser, run=command.run, show=command.show)
    return parser


if __name__ == "__main__":
    sys.exit(main())
