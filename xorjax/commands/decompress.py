"""`xorjax decompress`: a compressed file back to an ordinary safetensors file of floats."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xorjax.commands.errors import (
    CommandError,
    UsageError,
    check_not_input,
    check_output,
    check_output_directory,
    refusing,
)
from xorjax.commands.options import add_force
from xorjax.commands.tables import megabytes
from xorjax.files import place_of_directory

if TYPE_CHECKING:
    from xorjax.container import CompressedModel
    from xorjax.container.index import ShardIndex

DESCRIPTION = """\
Decodes every compressed layer to floats, pruned weights as zeros, and writes it beside the tensors that were kept as
they are, under the names that the checkpoint had. Where IN is a directory of shards, or its index, OUT is a directory:
safetensors shards of the same names and their index, one shard at a time in memory.
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


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container import load
    from xorjax.container.index import find_index, read_index
    from xorjax.container.tensors import FLOATS

    if args.dtype not in FLOATS:
        raise UsageError(f"argument --dtype: invalid value: {args.dtype!r} (one of {', '.join(FLOATS)})")
    with refusing():
        found = find_index(args.input)
    check_not_input(args.output, [args.input, *([found.parent] if found else [])])
    if found is None:
        check_output(args.output, args.force)
        with refusing(args.input if not Path(args.input).exists() else None):
            model = load(args.input)
        with refusing():
            _write(model, args.input, Path(args.output), args.dtype)
        decoded, n_params = _shapes(model), len(model.params)
        sizes = {
            "input_bytes": Path(args.input).stat().st_size,
            "file_bytes": Path(args.output).stat().st_size,
        }
    else:
        check_output_directory(args.output, args.force)
        with refusing():
            index = read_index(found)
            decoded, n_params, n_bytes = _decode_shards(index, Path(args.output), args.dtype)
        sizes = {"input_bytes": index.n_bytes, "file_bytes": n_bytes, "n_shards": len(index.files)}
    return {
        "command": "decompress",
        "input": args.input,
        "output": args.output,
        "dtype": args.dtype,
        "layers": decoded,
        "n_params": n_params,
        **sizes,
    }


def _decode_shards(index: "ShardIndex", out: Path, dtype: str) -> tuple[dict[str, list[int]], int, int]:
    """The layers' shapes, how many tensors are kept, and the bytes written."""
    from xorjax.container.index import SHARD_SUFFIX, load_shard
    from xorjax.files import write_text

    layers: dict[str, list[int]] = {}
    n_params = n_bytes = of_tensors = 0
    names = {file: file.removesuffix(SHARD_SUFFIX) + ".safetensors" for file in sorted(index.files)}
    with _all_or_none(out) as written:
        for file, name in names.items():
            model = load_shard(index, file)
            of_tensors += _write(model, str(index.path.parent / file), out / name, dtype)
            written.append(out / name)
            layers |= _shapes(model)
            n_params += len(model.params)
            n_bytes += (out / name).stat().st_size
            del model  # so that it is gone while the next is read
        places = {tensor: names[file] for tensor, file in sorted(index.places.items())}
        text = json.dumps({"metadata": {"total_size": of_tensors}, "weight_map": places}, indent=2)
        write_text(out / f"{index.name}.safetensors.index.json", text + "\n")
    return layers, n_params, n_bytes


@contextmanager
def _all_or_none(out: Path) -> Iterator[list[Path]]:
    """The directory `out`, made if it is not there; a link is followed. If the block fails, the files that it listed
    are removed again.
    """
    was_there, written, place = out.exists(), [], place_of_directory(out)
    place.mkdir(exist_ok=True)
    try:
        yield written
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        if not was_there:
            place.rmdir()
        raise


def _write(model: "CompressedModel", source: str, path: Path, dtype: str) -> int:
    """Writes the model's tensors, each decoded when it is written; how many bytes they take."""
    import numpy as np

    from xorjax.container import decode_weights
    from xorjax.container.tensors import DTYPES, Raw, describe, write_made
    from xorjax.files import replacing

    def make(name: str) -> np.ndarray | Raw:
        if name in model.params:
            return model.params[name]
        weights = decode_weights(model.layers[name])
        with np.errstate(over="ignore"):
            converted = weights.astype(DTYPES[dtype], copy=False)
        if not np.isfinite(converted.astype(np.float32)).all() or ((converted == 0) & (weights != 0)).any():
            raise CommandError(
                f"{source}: tensor {name!r}: a weight does not fit {dtype}, expected F32 or wider"
            )
        return converted

    described = {name: describe(array) for name, array in model.params.items()}
    described |= {
        name: (dtype, layer.shape, DTYPES[dtype].itemsize * layer.n_weights)
        for name, layer in model.layers.items()
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        write_made(file, described, make, model.metadata)
    return sum(n_bytes for _, _, n_bytes in described.values())


def _shapes(model: "CompressedModel") -> dict[str, list[int]]:
    return {name: list(layer.shape) for name, layer in sorted(model.layers.items())}


def show(result: dict[str, Any]) -> None:
    shards = f"{result['n_shards']} shards, " if "n_shards" in result else ""
    print(
        f"{result['output']}: {megabytes(result['file_bytes'])}; {shards}{len(result['layers'])} layers decoded to "
        f"{result['dtype']}, {result['n_params']} other tensors as they were"
    )
