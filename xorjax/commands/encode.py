"""`xorjax encode`: bit planes and a mask of one's own, as .npy files, to a compressed file of one layer."""

import argparse
from pathlib import Path
from typing import Any

from xorjax.commands.errors import CommandError, UsageError, check_not_input, check_output, refusing
from xorjax.commands.options import add_code_options, add_force, make_spec
from xorjax.commands.tables import describe_model, megabytes, print_layers

DESCRIPTION = """\
Encodes bit planes under a mask. MASK.npy: booleans or bytes, 1 = care. BITS.npy: of the mask's shape, or several
planes of it along a leading axis. The scales are written as ones.
"""


def add_to(commands) -> None:
    parser = commands.add_parser("encode", help="encode bit planes of one's own", description=DESCRIPTION)
    parser.add_argument("output", metavar="OUT")
    parser.add_argument("--care", required=True, metavar="MASK.npy")
    parser.add_argument("--bits", required=True, metavar="BITS.npy")
    parser.add_argument("--name", default="layer", help="the layer's name in the file (default layer)")
    add_force(parser)
    parser.state = _state


def _state(parser: argparse.ArgumentParser) -> None:
    from xorjax.codec.xor import XorCode

    add_code_options(parser, {"xor": XorCode})


def run(args: argparse.Namespace) -> dict[str, Any]:
    from xorjax.container.tensors import check_name

    spec = make_spec(args, layers=(args.name,), masks={})
    try:
        check_name(args.name)
    except ValueError as error:
        raise UsageError(f"argument --name: {error}") from error
    check_not_input(args.output, [args.care, args.bits])
    check_output(args.output, args.force)
    import numpy as np

    from xorjax.compression import encode_planes
    from xorjax.container import CompressedModel, save
    from xorjax.masks import encode_mask

    care, bits = _read(args.care), _read(args.bits)
    if care.ndim == 0 or not care.any():
        raise CommandError(
            f"{args.care}: the mask has shape {list(care.shape)} and keeps {int(care.sum())} bits, expected one at "
            "least"
        )
    if (
        bits.shape[-care.ndim :] != care.shape
        or bits.ndim not in (care.ndim, care.ndim + 1)
        or bits.size == 0
    ):
        raise CommandError(
            f"{args.bits}: the bits have shape {list(bits.shape)}, expected {list(care.shape)} as the mask, or planes "
            "of it"
        )
    planes = bits.reshape(-1, *care.shape)
    scales = np.ones((len(planes), *(1,) * care.ndim), np.float32)
    with refusing(args.bits):
        index = None if spec.mask_codec is None else encode_mask(care, spec.mask_codec)
        layer = encode_planes(args.name, planes, index, scales, spec.code)
        model = CompressedModel({args.name: layer})
    with refusing(args.output):
        save(args.output, model)
    size = Path(args.output).stat().st_size
    return {"command": "encode", "output": args.output, "file_bytes": size, **describe_model(model)}


def show(result: dict[str, Any]) -> None:
    print_layers(result)
    print(f"{result['output']}: {megabytes(result['file_bytes'])}")


def _read(path: str):
    import numpy as np

    with refusing(path):
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise CommandError(f"{path}: it is not an .npy file of plain numbers ({error})") from error
    if not isinstance(array, np.ndarray):
        raise CommandError(f"{path}: it is an archive, expected one .npy array")
    if array.dtype != np.bool_ and (array.dtype.kind not in "iu" or ((array != 0) & (array != 1)).any()):
        raise CommandError(f"{path}: it holds {array.dtype}, expected booleans or integers 0 and 1")
    return array.astype(np.bool_)
