"""`xorjax decompress`: a compressed file back to an ordinary safetensors file of floats."""

import argparse
from pathlib import Path
from typing import Any

from xorjax.commands.errors import UsageError, check_output, refusing
from xorjax.commands.options import add_force
from xorjax.commands.tables import megabytes, say

DESCRIPTION = """\
Decodes every compressed layer to floats, pruned weights as zeros, and writes it beside the tensors that were kept as
they are, under the names that the checkpoint had.
"""


def add_to(commands) -> None:
    parser = commands.add_parser(
        "decompress", help="decode to a safetensors file of floats", description=DESCRIPTION
    )
    parser.add_argument("input", metavar="IN")
    parser.add_argument("output", metavar="OUT")
    parser.add_argument(
        "--dtype",
        default="F32",
        metavar="ID",
        help="of the decoded layers: F16, BF16, F32 or F64 (default F32)",
    )
    add_force(parser)
    parser.set_defaults(run=run, show=show)


def run(args: argparse.Namespace) -> dict[str, Any]:
    check_output(args.output, args.force)
    import numpy as np

    from xorjax.container import decode_weights, load
    from xorjax.container.tensors import DTYPES, FLOATS, describe, write_made
    from xorjax.files import replacing

    if args.dtype not in FLOATS:
        raise UsageError(f"argument --dtype: invalid value: {args.dtype!r} (one of {', '.join(FLOATS)})")
    with refusing(args.input if not Path(args.input).exists() else None):
        model = load(args.input)

    def make(name: str) -> np.ndarray:
        if name in model.params:
            return model.params[name]
        weights = decode_weights(model.layers[name])
        with np.errstate(over="ignore"):
            converted = weights.astype(DTYPES[args.dtype], copy=False)
        if not np.isfinite(converted.astype(np.float32)).all():
            raise ValueError(
                f"{args.input}: tensor {name!r}: a weight does not fit {args.dtype}, expected F32 or wider"
            )
        return converted

    described = describe(model.params)
    described |= {name: (args.dtype, layer.shape) for name, layer in model.layers.items()}
    with refusing(), replacing(Path(args.output)) as temporary, temporary.open("wb") as file:
        write_made(file, described, make, model.metadata)
    return {
        "command": "decompress",
        "input": args.input,
        "output": args.output,
        "dtype": args.dtype,
        "layers": {name: list(layer.shape) for name, layer in sorted(model.layers.items())},
        "n_params": len(model.params),
        "input_bytes": Path(args.input).stat().st_size,
        "file_bytes": Path(args.output).stat().st_size,
    }


def show(result: dict[str, Any]) -> None:
    say(
        f"{result['output']}: {megabytes(result['file_bytes'])}; {len(result['layers'])} layers decoded to "
        f"{result['dtype']}, {result['n_params']} other tensors as they were"
    )
