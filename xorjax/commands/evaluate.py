"""`xorjax evaluate`: a model of the suite, rebuilt from its compressed file alone, on the real test split."""

import argparse
from pathlib import Path
from typing import Any

from xorjax.commands.errors import refusing
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
        default=".cache",
        metavar="DIR",
        help="where the arrays read from it are kept (default .cache)",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container import load

    with refusing():
        model = load(args.file)
    from xorjax.pipeline.evaluate_file import evaluate_model

    with refusing(args.file):
        measured = evaluate_model(model, args.data, args.cache)
    size = Path(args.file).stat().st_size
    return {"command": "evaluate", "file": args.file, "file_bytes": size, **measured, **describe_model(model)}


def show(result: dict[str, Any]) -> None:
    metric = Metric(**result["metric"])
    print_layers(result)
    print(f"{result['file']}: {megabytes(result['file_bytes'])}")
    print(
        f"{result['model']} on {result['dataset']}: {metric.name} {metric.text(result['test_metric'])} on "
        f"{result['n_test']} test examples"
    )
