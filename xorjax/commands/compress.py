"""`xorjax compress`: any safetensors checkpoint of float weights, pruned, binarized and encoded."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xorjax.commands.errors import UsageError, check_not_input, check_output, refusing
from xorjax.commands.options import add_code_options, add_force, add_settings, literal, make_spec, rules
from xorjax.commands.progress import progress
from xorjax.commands.sharded import add_shard_options, check_shard_options, compress_to_directory
from xorjax.commands.tables import describe_model, digits, megabytes, print_layers

if TYPE_CHECKING:
    from xorjax.compression import Checkpoint, CompressSpec

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
    parser.add_argument(
        "--per-layer",
        action="append",
        default=[],
        metavar="PATTERN:KEY=VALUE,...",
        help="other settings for the layers of a pattern, such as 'conv*:prune_rate=0.8,code.n_in=12,n_planes=2'; the "
        "first pattern that matches a layer counts; may be repeated",
    )
    parser.add_argument(
        "--mask-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of an approximate mask codec, such as index-bits=0.2, the bits a weight that its mask may "
        "cost; may be repeated",
    )
    add_shard_options(parser)
    add_force(parser)
    parser.state = _state


def _state(parser: argparse.ArgumentParser) -> None:
    from xorjax.codec.code import CODES
    from xorjax.compression import CompressSpec

    pruning = parser.add_mutually_exclusive_group(required=True)
    add_settings(pruning, CompressSpec, ("prune_rate",))
    pruning.add_argument(
        "--mask", metavar="FILE", help="safetensors of BOOL or U8 masks by the same names, 1 = kept"
    )
    add_settings(parser, CompressSpec, ("n_planes", "scale", "scale_dtype"))
    parser.add_argument(
        "--code", default="xor", metavar="ID", help=f"how signs are stored: {', '.join(CODES)} (default xor)"
    )
    add_code_options(parser, CODES)


def run(args: argparse.Namespace) -> dict[str, Any]:
    settings = {
        "layers": tuple(args.layers),
        "skip": tuple(args.skip),
        "mask_options": dict(_option(text) for text in args.mask_option),
        "per_layer": rules(args.per_layer),
    }
    # Usage before input: with a mask its own settings are checked without reading it.
    make_spec(args, **settings, masks={} if args.mask else None)
    sharded = check_shard_options(args)
    from xorjax.compression import Mapped, open_checkpoint
    from xorjax.compression.checkpoint import find_checkpoint
    from xorjax.compression.describe import plainer

    with refusing():
        checkpoint = open_checkpoint(args.input)
        of_masks = open_checkpoint(args.mask) if args.mask else None
        masks = None if of_masks is None else Mapped(of_masks, of_masks)
        inputs = {find_checkpoint(path) for path in (args.input, args.mask) if path}
        inputs |= {tensor.file for tensor in (*checkpoint.values(), *(of_masks or {}).values())}
    check_not_input(args.output, sorted(inputs))
    if not sharded:
        check_output(args.output, args.force)
    spec = make_spec(args, **settings, masks=masks)
    make = compress_to_directory if sharded else _compress_to_file
    made = make(args, checkpoint, spec)
    return {
        "command": "compress",
        "input": args.input,
        "output": args.output,
        **made,
        "plainer": plainer(made["layers"], pruned_here=masks is None),
    }


def _compress_to_file(
    args: argparse.Namespace, checkpoint: "Checkpoint", spec: "CompressSpec"
) -> dict[str, Any]:
    from xorjax.compression import compress_checkpoint, match_checkpoint, weights_of
    from xorjax.compression.describe import describe_made, describe_sizes, totals
    from xorjax.container import save

    with refusing(args.input):
        sizes = {name: checkpoint[name].size for name in match_checkpoint(checkpoint, spec)}
        with progress(sizes) as bar:
            model = compress_checkpoint(checkpoint, spec, bar.update)
        layers = [
            describe_made(layer, weights_of(checkpoint, name), 8 * checkpoint[name].nbytes)
            for name, layer in sorted(model.layers.items())
        ]
    with refusing(args.output):
        save(args.output, model)
    described = describe_model(model)
    return {
        "input_bytes": checkpoint.n_bytes,
        **describe_sizes([Path(args.output)], described["layers"], described["params"]),
        **described,
        "layers": layers,
        "totals": totals(layers),
    }


def show(result: dict[str, Any]) -> None:
    print_layers(result, compressed=True)
    total = result["totals"]
    if total["scale_bits"] > total["code_bits"]:
        wide = any(layer["scale_dtype"] == "float32" for layer in result["layers"])
        halved = "--scale-dtype float16 or bfloat16 halves them; " if wide else ""
        print(
            f"the scales are {total['scale_bits'] / total['n_weights']:.3f} of {total['bits_per_weight']:.3f} "
            f"bits/weight: {halved}one for each output is --scale row for torch's (out, in), channel for flax's (in, "
            "out); --scale tensor, one for all, is smaller and less exact"
        )
    if found := result["plainer"]:
        options = (
            "--code signs" if found["code"] == "signs" else "--code dense --mask-codec none --prune-rate 0"
        )
        now, then = (found[key] / found["n_weights"] for key in ("n_bits_now", "n_bits"))
        print(
            f"{options} would be smaller: signs and masks of the XOR layers would take {then:.4f} bits/weight in place "
            f"of {now:.4f}, {megabytes((found['n_bits_now'] - found['n_bits']) // 8)} less"
        )
    kept = sum(param["bytes"] for param in result["params"])
    print(
        f"{result['output']}: {megabytes(result['file_bytes'])} of {megabytes(result['input_bytes'])}, "
        f"{digits(result['file_bits_per_parameter'])} bits per parameter of the whole model; "
        f"{len(result['params'])} other tensors kept as they are ({megabytes(kept)})"
    )
    if shards := result.get("shards"):
        found = sum(shard["state"] == "found" for shard in shards)
        print(f"{len(shards)} shards, {found} of them made before; the index: {result['index']}")
    if bounded := sum(layer.get("n_bounded", 0) for layer in result["layers"]):
        print(
            f"{bounded} slices were too redundant for the exact search: their patches may not be the fewest"
        )


def _option(text: str) -> tuple[str, int | float]:
    name, _, value = text.partition("=")
    number = literal(value)
    if not isinstance(number, int | float):
        raise UsageError(f"argument --mask-option: invalid value: {text!r} (NAME=NUMBER is expected)")
    return name.strip().replace("-", "_"), number
