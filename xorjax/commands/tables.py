"""What the commands say of a compressed model: plain values for JSON, and tables of them."""

from typing import TYPE_CHECKING, Any

from xorjax.streams import BIT_NAMES, BIT_STREAMS

if TYPE_CHECKING:
    from xorjax.container import CompressedModel

_WIDEST = 10_000
_PARTS = {
    "codes": "codes",
    "patches": "patches",
    "masks": "masks",
    "scales": "scales",
    "shared": "matrices M",
    "params": "uncompressed parameters",
    "header": "header",
}
_COUNTED = (*BIT_STREAMS, "value_bits", "input_bits")


def describe_model(model: "CompressedModel") -> dict[str, Any]:
    """All layers, what is kept as it is, and totals."""
    from xorjax.compression.describe import describe_layer, describe_param, totals

    layers = [describe_layer(model.layers[name]) for name in sorted(model.layers)]
    return {
        "metadata": dict(model.metadata),
        "layers": layers,
        "params": [describe_param(name, model.params[name]) for name in sorted(model.params)],
        "totals": totals(layers),
    }


def for_json(result: Any) -> Any:
    """A command's result with `n_code_bits` for `code_bits` and so on: by those names results have bits per weight."""
    if isinstance(result, list):
        return [for_json(item) for item in result]
    if not isinstance(result, dict):
        return result
    return {f"n_{key}" if key in _COUNTED else key: for_json(value) for key, value in result.items()}


def print_layers(result: dict[str, Any], *, compressed: bool = False) -> None:
    """A row for each layer, bits per weight by stream; with what `compress` knows beside, if asked."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    for name in ("shape", "S", "planes", "stored as", *BIT_NAMES.values(), "bits/weight"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("ratio", "error") if compressed else ():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bounded", justify="right", no_wrap=True)
    for layer in result["layers"]:
        made = (f"{layer['ratio']:.1f}", f"{layer['relative_error']:.4f}") if compressed else ()
        stored = layer["code"] + (f" {layer['n_in']}:{layer['n_out']}" if "n_in" in layer else "")
        shape, rate = "x".join(map(str, layer["shape"])), f"{layer['prune_rate']:.4g}"
        bounded = str(layer.get("n_bounded", ""))
        table.add_row(
            layer["name"], shape, rate, str(layer["n_planes"]), stored, *_bits(layer), *made, bounded
        )
    if len(result["layers"]) > 1:
        total = result["totals"]
        made = (f"{total['ratio']:.1f}", "") if compressed else ()
        rate = f"{1 - total['n_kept'] / total['n_weights']:.4g}"
        table.add_row(
            "all layers", str(total["n_weights"]), rate, "", "", *_bits(total), *made, "", style="bold"
        )
    # As wide as the table is: names are not folded nor figures cut short, whatever the terminal's width.
    Console(highlight=False, width=_WIDEST).print(table)


def _bits(entry: dict[str, Any]) -> list[str]:
    """Bits per weight by stream, and all of them."""
    by_stream = (entry[kind] / entry["n_weights"] for kind in BIT_STREAMS)
    return [f"{bits:.4f}" for bits in (*by_stream, entry["bits_per_weight"])]


def print_parts(result: dict[str, Any]) -> None:
    """What the whole file is spent on; what it has nothing of is left out."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("the whole file", no_wrap=True)
    for name in ("bytes", "bits/parameter"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, part in result["parts"].items():
        if part["bytes"]:
            table.add_row(_PARTS[name], f"{part['bytes']:,}", digits(part["bits_per_parameter"]))
    n = f"{result['n_parameters']:,} parameters"
    table.add_row(n, f"{result['file_bytes']:,}", digits(result["file_bits_per_parameter"]), style="bold")
    Console(highlight=False, width=_WIDEST).print(table)


def digits(bits: float | None) -> str:
    """Bits per parameter; a dash where there is no parameter."""
    return "-" if bits is None else f"{bits:.4f}"


def megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.3f} MB" if n_bytes >= 1000 else f"{n_bytes} bytes"
