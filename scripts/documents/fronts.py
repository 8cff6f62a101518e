"""One front a network, of all tables that docs/tables keeps: the settings that nothing smaller loses less than."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from xorjax.masks import APPROXIMATE_CODECS
from xorjax.results.names import SAME_MASK, codec_name, mask_name

from .figures import Rows
from .measured import TABLES, Measured
from .paper import ALIKE, method_of


@dataclass(frozen=True)
class Place:
    """A setting: mean bits a weight, the mean loss and half its 95 % interval (NaN for one seed) in what readers read.

    `searched`: in the source paper's code, whose words are searched for a finished network.
    """

    total: float
    loss: float
    half_width: float
    n_seeds: int
    method: str
    table: str
    searched: bool = False


def fronts() -> dict[str, list[Place]]:
    """The winners by bits for each network, data set and set of layers in code."""
    places: dict[str, list[Place]] = {}
    for table in sorted(path.stem for path in TABLES.glob("*.csv")):
        frame = Measured.read(table).frame()
        if not {"baseline", "reference_metric", "bits_per_weight"} <= set(frame.columns):
            continue
        # An n_out that a network was trained in is a setting, also of what stores that network otherwise.
        is_setting = pl.col.baseline | (pl.col.code == "trained")
        frame = frame.with_columns(trained_in=pl.when(is_setting).then("n_out"))
        alike = [*(name for name in ALIKE if name in frame.columns), "trained_in"]
        # Signs of all weights of a pruned network are sizes alone.
        for points in frame.drop_nulls("test_metric").partition_by(alike, maintain_order=True):
            places.setdefault(network_of(points), []).extend(places_of(points, table))
    return {network: list(winners(found)) for network, found in sorted(places.items())}


def network_of(points: pl.DataFrame) -> str:
    layers = points["layer"].unique(maintain_order=True).to_list()
    listed = ", ".join(layers) if len(layers) < 4 else f"{len(layers)} layers"
    return f"{points['model'][0]}, {points['dataset'][0]}, {listed}"


def places_of(points: pl.DataFrame, table: str) -> Iterator[Place]:
    """The setting, and packed signs behind the same mask where the code has chosen its mask: a bit each."""
    rows, point = Rows(points), points.row(0, named=True)
    (loss, width), n_seeds = rows.interval(), points["seed"].n_unique()
    chosen = point["mask"] in APPROXIMATE_CODECS and point["prune_rate"] > 0
    if point["baseline"]:
        mask = f", {mask_name(point['mask'])} mask" if chosen else ""
        method = f"{codec_name(point['code'], point['mask_codec'])}, S={point['prune_rate']:g}{mask}"
    else:
        method = method_of(points)
    searched = point["code"] == "xor"
    yield Place(rows.mean("bits_per_weight"), loss, width, n_seeds, method, table, searched)
    if chosen and not point["baseline"]:
        signs = point["n_planes"] * (1 - point["prune_rate"])
        total = signs + rows.mean("index_bits") + rows.mean("scale_bits")
        label = f"{SAME_MASK}, mask: {mask_name(point['mask'])}, S={point['prune_rate']:g}"
        yield Place(total, loss, width, n_seeds, label, table)


def winners(places: list[Place]) -> Iterator[Place]:
    """Ascending in bits: each loses less than all that take as few."""
    least = float("inf")
    for place in sorted(places, key=lambda place: (place.total, place.loss)):
        if place.loss < least:
            least = place.loss
            yield place
