"""The arguments that several commands share, and the `CompressSpec` that they stand for."""

import argparse
from typing import TYPE_CHECKING

from xorjax.commands.errors import UsageError

if TYPE_CHECKING:
    from xorjax.compression import CompressSpec

CODEC = {
    "n_in": (int, "N", "bits of a code word, 1 to 128 (default 20)"),
    "n_out": (
        str,
        "N",
        "bits of a slice, or auto: the fewest predicted bits, a layer at a time (default auto)",
    ),
    "seed": (int, "N", "what the XOR network is drawn from (default 0)"),
    "method": (str, "ID", "minimum or greedy patches (default minimum)"),
    "patch_format": (str, "ID", "paper, blocked, care or enumerative (default care)"),
    "patch_block": (int, "N", "slices in a block of patch counts (default 16)"),
    "layout": (str, "ID", "row_major, column_major, interleaved or shuffled (default interleaved)"),
    "layout_seed": (int, "N", "the seed of shuffled (default 0)"),
    "mask_codec": (
        str,
        "ID",
        "exact: bitmap, ans, ans_rc, csr4, csr5, csr8, golomb; approximate, choosing the mask themselves: lowrank, "
        "codebook, xor (default ans_rc)",
    ),
}


def add_codec_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("codec")
    for name, (kind, metavar, text) in CODEC.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=text)


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="overwrite OUT if it exists")


def make_spec(args: argparse.Namespace, **settings) -> "CompressSpec":
    """The spec of the codec's arguments and `settings`; what was not given is left to the spec's defaults.

    Raises:
        UsageError: a setting is out of range or unknown.
    """
    from xorjax.compression import CompressSpec

    given = {name: value for name in CODEC if (value := getattr(args, name)) is not None}
    if (n_out := given.pop("n_out", "auto")) != "auto":
        if not n_out.isdecimal():
            raise UsageError(f"argument --n-out: invalid value: {n_out!r} (a number or auto)")
        given["n_out"] = int(n_out)
    try:
        return CompressSpec(**given, **settings)
    except ValueError as error:
        raise UsageError(str(error)) from error
