"""One front a network, of all tables that docs/tables keeps: the settings that nothing smaller loses less than."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import polars as pl

from xorjax.masks import APPROXIMATE_CODECS
from xorjax.results.names import SAME_MASK, codec_name, mask_name

from .figures import Rows
from .measured import TABLES, Measured
from .paper import ALIKE, method_of

SAME_RECIPE = ("lenet_headline", "lenet_sweep", "lenet_masks")
"""One recipe on different seeds, first those that chose nothing: of a model that several have the first counts."""


class Sized(Protocol):
    @property
    def total(self) -> float: ...

    @property
    def loss(self) -> float: ...


AnyPlace = TypeVar("AnyPlace", bound=Sized)


@dataclass(frozen=True)
class Place:
    """A setting: mean bits a weight, the mean loss and half its 95 % interval (NaN for one seed) in what readers read.

    `model` is which quantized model it stores, among those of a table; `searched`: in the source paper's code, whose
    words are searched for a finished network.
    """

    total: float
    loss: float
    half_width: float
    n_seeds: int
    method: str
    table: str
    model: str
    searched: bool = False


def fronts() -> dict[str, list[Place]]:
    """The winners by bits for each network, data set and set of layers in code."""
    places: dict[str, list[Place]] = {}
    tables = sorted(path.stem for path in TABLES.glob("*.csv"))
    for table in (*SAME_RECIPE, *(name for name in tables if name not in SAME_RECIPE)):
        frame = Measured.read(table).frame()
        if not {"baseline", "reference_metric", "bits_per_weight", "mask", "n_out"} <= set(frame.columns):
            continue
        known = {place.model for own in places.values() for place in own} if table in SAME_RECIPE else set()
        for network, place in of_table(table, frame):
            if place.model not in known:
                places.setdefault(network, []).append(place)
    return {network: winners(found) for network, found in sorted(places.items())}


def of_table(table: str, frame: pl.DataFrame) -> Iterator[tuple[str, Place]]:
    """The network and the place of each setting, and of packed signs behind a mask that its codec has chosen."""
    # Signs of all weights of a pruned network are sizes alone.
    frame = frame.drop_nulls("test_metric")
    # An n_out that a network was trained in is a setting, also of what stores that network otherwise.
    is_setting = pl.col.baseline | (pl.col.code == "trained")
    frame = frame.with_columns(trained_in=pl.when(is_setting).then("n_out"))
    alike = [*(name for name in ALIKE if name in frame.columns), "trained_in"]
    for points in frame.partition_by(alike, maintain_order=True):
        rows, point = Rows(points), points.row(0, named=True)
        (loss, width), n_seeds = rows.interval(), points["seed"].n_unique()
        total, rate = rows.mean("bits_per_weight"), f"S={point['prune_rate']:g}"
        chosen = point["prune_rate"] > 0 and point["mask"] in APPROXIMATE_CODECS
        network, mask = network_of(points), f"mask: {mask_name(point['mask'])}, {rate}"
        model = f"{mask if chosen else rate}, {point['n_planes']} planes"
        if not point["baseline"]:
            searched = point["code"] == "xor"
            yield network, Place(total, loss, width, n_seeds, method_of(points), table, model, searched)
            continue
        behind = f"of {mask}" if chosen else rate
        method = f"{codec_name(point['code'], point['mask_codec'])}, {behind}"
        yield network, Place(total, loss, width, n_seeds, method, table, model)
        if chosen and (point["code"], point["mask_codec"]) == ("signs", "bitmap"):
            # The bitmap in place of the mask as its codec wrote it: the same network's own points say what that takes.
            of_mask = [
                name for name in alike if name in ("prune_rate", "n_planes", "mask", "mask_index_bits")
            ]
            own = frame.filter(~pl.col.baseline).join(
                points.select(of_mask).unique(), on=of_mask, nulls_equal=True
            )
            packed = rows.mean("code_bits") + Rows(own).mean("index_bits") + rows.mean("scale_bits")
            yield network, Place(packed, loss, width, n_seeds, f"{SAME_MASK}, {mask}", table, model)


def network_of(points: pl.DataFrame) -> str:
    layers = points["layer"].unique(maintain_order=True).to_list()
    return f"{points['model'][0]}, {points['dataset'][0]}, {listed(layers)}"


def listed(layers: Sequence[str]) -> str:
    return ", ".join(layers) if len(layers) < 4 else f"{len(layers)} layers"


def winners(places: Iterable[AnyPlace]) -> list[AnyPlace]:
    """Ascending in bits: each loses less than all that take as few."""
    found, least = [], float("inf")
    for place in sorted(places, key=lambda place: (place.total, place.loss)):
        if place.loss < least:
            least = place.loss
            found.append(place)
    return found
