"""`xorjax compress`: any safetensors checkpoint of float weights, pruned, binarized and encoded."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xorjax.commands.errors import UsageError, check_output, refusing
from xorjax.commands.options import add_codec_options, add_force, make_spec
from xorjax.commands.tables import describe_model, megabytes, print_layers, say, say_networks

DESCRIPTION = """\
Prunes the named layers of a checkpoint by magnitude, binarizes what is left by least squares and encodes it. All
other tensors are kept as they are. IN is a safetensors file, a *.safetensors.index.json, or the directory of either.
Nothing is fine-tuned: the errors printed are those of weights, and say little of a task's accuracy.
"""
EXAMPLE = "example: xorjax compress model.safetensors small.xorjax --layers '*.fc?.weight' --prune-rate 0.9 --scale row"


def add_to(commands) -> None:
    parser = commands.add_parser(
        "compress", help="prune, binarize and encode a checkpoint", description=DESCRIPTION, epilog=EXAMPLE
    )
    parser.add_argument("input", metavar="IN")
    parser.add_argument("output", metavar="OUT")
    parser.add_argument(
        "--layers",
        action="append",
        required=True,
        metavar="PATTERN",
        help="tensors to compress: a pattern of their names as in a shell ('*.weight'); may be repeated",
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="PATTERN",
        help="tensors to keep all the same; may be repeated",
    )
    pruning = parser.add_mutually_exclusive_group(required=True)
    pruning.add_argument(
        "--prune-rate", type=float, metavar="S", help="fraction of weights removed, 0 <= S < 1"
    )
    pruning.add_argument(
        "--mask", metavar="FILE", help="safetensors of BOOL or U8 masks by the same names, 1 = kept"
    )
    parser.add_argument("--planes", type=int, default=1, metavar="Q", help="bit planes a weight (default 1)")
    parser.add_argument(
        "--scale",
        default="channel",
        metavar="WHAT",
        help="what shares a scale: tensor, channel (an index of the last axis: an output of flax's (in, out)) or row "
        "(an index of the first axis: an output of torch's (out, in)); default channel",
    )
    add_codec_options(parser)
    parser.add_argument(
        "--mask-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of an approximate mask codec, such as index-bits=0.2, the bits a weight that its mask may "
        "cost; may be repeated",
    )
    add_force(parser)
    parser.set_defaults(run=run, show=show)


def run(args: argparse.Namespace) -> dict[str, Any]:
    options = dict(_option(text) for text in args.mask_option)
    settings = {
        "layers": tuple(args.layers),
        "skip": tuple(args.skip),
        "prune_rate": args.prune_rate,
        "n_planes": args.planes,
        "scale": args.scale,
        "mask_options": options,
    }
    # Usage before input: with a mask its own settings are checked without reading it.
    make_spec(args, **settings, masks={} if args.mask else None)
    check_output(args.output, args.force)
    from xorjax.compress import (
        compress_checkpoint,
        match_checkpoint,
        open_checkpoint,
        relative_error,
        weights_of,
    )
    from xorjax.container import save

    with refusing():
        checkpoint = open_checkpoint(args.input)
        masks = None
        if args.mask:
            masks = {name: tensor.mapped() for name, tensor in open_checkpoint(args.mask).items()}
    spec = make_spec(args, **settings, masks=masks)
    with refusing(args.input):
        sizes = {name: checkpoint[name].size for name in match_checkpoint(checkpoint, spec)}
        with _progress(sizes) as tell:
            model = compress_checkpoint(checkpoint, spec, tell)
        errors = {
            name: relative_error(weights_of(checkpoint, name), layer) for name, layer in model.layers.items()
        }
    with refusing(args.output):
        save(args.output, model)
    result = describe_model(model)
    for layer in result["layers"]:
        layer["input_bits"] = 8 * checkpoint[layer["name"]].nbytes
        layer["ratio"] = layer["input_bits"] / (layer["bits_per_weight"] * layer["n_weights"])
        layer["relative_error"] = errors[layer["name"]]
    total = result["totals"]
    total["input_bits"] = sum(layer["input_bits"] for layer in result["layers"])
    total["ratio"] = total["input_bits"] / (total["bits_per_weight"] * total["n_weights"])
    return {
        "command": "compress",
        "input": args.input,
        "output": args.output,
        "input_bytes": checkpoint.n_bytes,
        "file_bytes": Path(args.output).stat().st_size,
        **result,
    }


def show(result: dict[str, Any]) -> None:
    print_layers(result, compressed=True)
    say_networks(result)
    total = result["totals"]
    if total["scale_bits"] > total["code_bits"]:
        say(
            "the scales take more than the code words: --scale row is one for each output of torch's (out, in), "
            "channel one for each of flax's (in, out), tensor one for all"
        )
    kept = sum(param["bytes"] for param in result["params"])
    say(
        f"{result['output']}: {megabytes(result['file_bytes'])} of {megabytes(result['input_bytes'])}; "
        f"{len(result['params'])} other tensors kept as they are ({megabytes(kept)})"
    )
    if bounded := sum(layer["n_bounded"] for layer in result["layers"]):
        say(f"{bounded} slices were too redundant for the exact search: their patches may not be the fewest")


def _option(text: str) -> tuple[str, int | float]:
    name, _, value = text.partition("=")
    for kind in (int, float):
        try:
            return name.strip().replace("-", "_"), kind(value)
        except ValueError:
            continue
    raise UsageError(f"argument --mask-option: invalid value: {text!r} (NAME=NUMBER is expected)")


@contextmanager
def _progress(sizes: dict[str, int]) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error with the time left, where that is a terminal; it counts the layers' weights."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console, completed = Console(stderr=True), dict.fromkeys(sizes, 0.0)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("compress", total=sum(sizes.values()))

        def tell(name: str, done: float) -> None:
            completed[name] = done * sizes[name]
            bar.update(task, description=name, completed=sum(completed.values()))

        yield tell
