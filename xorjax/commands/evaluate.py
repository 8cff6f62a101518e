"""`xorjax evaluate`: a model of the suite, rebuilt from its compressed file alone, on the real test split."""

import argparse
import os
from pathlib import Path
from typing import Any

from xorjax.commands.errors import CommandError, refusing
from xorjax.commands.tables import describe_model, megabytes, print_layers
from xorjax.metric import Metric

DESCRIPTION = """\
Rebuilds the model that the file's metadata names (model, dataset), decoding inside the jitted forward pass, and
measures it on all of the dataset's test split.
"""


def add_to(commands) -> None:
    parser = commands.add_parser("evaluate", help="measure a model of the suite", description=DESCRIPTION)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--data", default="data", metavar="DIR", help="where the dataset lies (default data)")
    parser.add_argument(
        "--cache",
        default=str(user_cache()),
        metavar="DIR",
        help="where the arrays read from it are kept (default %(default)s)",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container import load

    if Path(args.file).is_dir():
        raise CommandError(f"{args.file}: it is a directory, expected the one file of a model of the suite")
    with refusing():
        model = load(args.file)
    from xorjax.data import DataError, MissingData
    from xorjax.pipeline.evaluate_file import evaluate_model

    with refusing(args.file):
        try:
            measured = evaluate_model(model, args.data, args.cache)
        except MissingData as error:
            raise CommandError(f"{error}; --data DIR says where else it lies") from error
        except DataError as error:
            raise CommandError(str(error)) from error  # no fault of the model's file
    size = Path(args.file).stat().st_size
    return {"command": "evaluate", "file": args.file, "file_bytes": size, **measured, **describe_model(model)}


def user_cache() -> Path:
    """Where a user's caches are by the XDG specification, which takes no relative path."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path(os.path.expanduser("~/.cache"))) / "xorjax"


def show(result: dict[str, Any]) -> None:
    metric = Metric(**result["metric"])
    print_layers(result)
    print(f"{result['file']}: {megabytes(result['file_bytes'])}")
    print(
        f"{result['model']} on {result['dataset']}: {metric.name} {metric.text(result['test_metric'])} on "
        f"{result['n_test']} test examples"
    )
