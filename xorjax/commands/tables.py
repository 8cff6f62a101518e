"""What the commands say of a compressed model: plain values for JSON, and tables of them."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from xorjax.streams import BIT_NAMES, BIT_STREAMS

if TYPE_CHECKING:
    from xorjax.container import CompressedModel

_WIDEST = 10_000
_COUNTED = (*BIT_STREAMS, "value_bits", "input_bits")


def describe_model(model: "CompressedModel") -> dict[str, Any]:
    """All layers, what is kept as it is, what layers share, and totals."""
    from xorjax.compression.describe import describe_layer, describe_param, describe_shared, totals

    layers = [describe_layer(model.layers[name]) for name in sorted(model.layers)]
    return {
        "metadata": dict(model.metadata),
        "layers": layers,
        "params": [describe_param(name, model.params[name]) for name in sorted(model.params)],
        "shared": describe_shared(model.layers[name] for name in sorted(model.layers)),
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


def say_shared(result: dict[str, Any]) -> None:
    """What bits per weight and ratios leave out: what layers of one code share, such as the XOR code's matrices."""
    if shared := result["shared"]:
        counts = Counter(entry["name"] for entry in shared)
        what = ", ".join(name if n == 1 else f"{name} ({n} of them)" for name, n in sorted(counts.items()))
        print(
            f"not in these figures: what layers share, {what}: {megabytes(sum(e['bytes'] for e in shared))}"
        )


def megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.3f} MB" if n_bytes >= 1000 else f"{n_bytes} bytes"
