"""What the commands say of a compressed model: plain values for JSON, and tables of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from xorjax.container import CompressedLayer, CompressedModel

KINDS = ("code_bits", "patch_bits", "index_bits", "scale_bits")
SHORT_NAMES = {"code_bits": "code", "patch_bits": "patch", "index_bits": "index", "scale_bits": "scale"}
_WIDEST = 10_000


def describe_layer(layer: "CompressedLayer") -> dict[str, Any]:
    """A layer's shape, settings and bits by stream; bits are counted from the bytes of the streams."""
    from xorjax.container import layer_bits

    plane, bits = layer.planes[0], layer_bits(layer)
    n_kept, n = int(layer.mask.sum()), layer.n_weights
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "n_weights": n,
        "n_kept": n_kept,
        "prune_rate": 1 - n_kept / n,
        "n_planes": len(layer.planes),
        "n_in": layer.net.n_in,
        "n_out": layer.net.n_out,
        "method": plane.method,
        "patch_format": plane.patch_format,
        "layout": plane.layout,
        "mask_codec": layer.index.codec,
        "n_slices": sum(len(plane.codes) for plane in layer.planes),
        "n_patches": sum(int(plane.n_patches.sum()) for plane in layer.planes),
        "n_bounded": sum(plane.n_bounded for plane in layer.planes),
        **bits,
        "bits_per_weight": sum(bits.values()) / n,
    }


def describe_model(model: "CompressedModel") -> dict[str, Any]:
    """All layers, what is kept as it is, the networks, and totals."""
    layers = [describe_layer(model.layers[name]) for name in sorted(model.layers)]
    return {
        "metadata": dict(model.metadata),
        "layers": layers,
        "params": [
            {"name": name, "dtype": str(array.dtype), "shape": list(array.shape), "bytes": array.nbytes}
            for name, array in sorted(model.params.items())
        ],
        "networks": [
            {
                "n_in": net.n_in,
                "n_out": net.n_out,
                "seed": net.seed,
                "sha256": net.sha256,
                "bytes": -(-net.n_in * net.n_out // 8),
            }
            for net in model.networks
        ],
        "totals": totals(layers),
    }


def totals(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums over the layers, and their bits per weight."""
    counts = {kind: sum(layer[kind] for layer in layers) for kind in ("n_weights", "n_kept", *KINDS)}
    n_bits = sum(counts[kind] for kind in KINDS)
    n = counts["n_weights"]
    return {**counts, "bits_per_weight": n_bits / n if n else None}


def print_layers(result: dict[str, Any], *, compressed: bool = False) -> None:
    """A row for each layer, bits per weight by stream; with what `compress` knows beside, if asked."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    for name in ("shape", "S", "planes", "n_in:n_out", *SHORT_NAMES.values(), "bits/weight"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("ratio", "error") if compressed else ():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bounded", justify="right", no_wrap=True)
    for layer in result["layers"]:
        _add_row(table, layer, compressed)
    if len(result["layers"]) > 1:
        _add_total(table, result["totals"], compressed)
    # As wide as the table is: names are not folded nor figures cut short, whatever the terminal's width.
    Console(highlight=False, width=_WIDEST).print(table)


def _add_row(table: "Table", layer: dict[str, Any], compressed: bool) -> None:
    n = layer["n_weights"]
    table.add_row(
        layer["name"],
        "x".join(map(str, layer["shape"])),
        f"{layer['prune_rate']:.4g}",
        str(layer["n_planes"]),
        f"{layer['n_in']}:{layer['n_out']}",
        *(f"{layer[kind] / n:.4f}" for kind in KINDS),
        f"{layer['bits_per_weight']:.4f}",
        *((f"{layer['ratio']:.1f}", f"{layer['relative_error']:.4f}") if compressed else ()),
        str(layer["n_bounded"]),
    )


def _add_total(table: "Table", total: dict[str, Any], compressed: bool) -> None:
    n = total["n_weights"]
    table.add_row(
        "all layers",
        str(n),
        f"{1 - total['n_kept'] / n:.4g}",
        "",
        "",
        *(f"{total[kind] / n:.4f}" for kind in KINDS),
        f"{total['bits_per_weight']:.4f}",
        *((f"{total['ratio']:.1f}", "") if compressed else ()),
        "",
        style="bold",
    )


def say_networks(result: dict[str, Any]) -> None:
    """What bits per weight and ratios leave out: the matrices, which layers of one shape share."""
    if networks := result["networks"]:
        n_bytes = sum(network["bytes"] for network in networks)
        count = "1 XOR network" if len(networks) == 1 else f"{len(networks)} XOR networks"
        say(f"not in these figures: the matrices of {count}, {megabytes(n_bytes)}")


def say(text: str) -> None:
    print(text)


def megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.3f} MB" if n_bytes >= 1000 else f"{n_bytes} bytes"
