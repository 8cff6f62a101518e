"""Two experiments against each other: what differs in their settings, and what came of the settings that both have."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean, variance
from typing import Any

import polars as pl

from xorjax.metric import Metric
from xorjax.results.caps import listed
from xorjax.results.collect import CollectError, metric_of, read_experiment, tabulate
from xorjax.results.configs import determines_nothing, distinct, plain, setting
from xorjax.results.losses import EQUAL, half_width, t_quantile
from xorjax.results.names import CODE_NAMES, MASK_NAMES
from xorjax.results.tables import per_point
from xorjax.results.variants import BY_SETTING, SAID, SETTING, Varied, said, varied_keys

VALUES = ("value_bits", "bits_per_weight", "test_metric", "validation_metric")
AXES = {"prune rate": "prune_rate", "code": "code", "n_in": "n_in", "n_out": "asked", "method": "method"}
AXES |= {"patch format": "patch_format", "mask codec": "mask_codec"}
"""What tells settings apart, the keys of their variants aside: its name for readers -> its column."""
ENDS = ("", " of B")
"""Behind the columns of A and of B where they stand side by side."""
BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Difference:
    """Means over seeds of both, the second less the first, and how far that may be off.

    `spread` is half the width of the 95 % interval of Student's t; None where one of them has one seed, so that
    nothing says whether the difference is more than luck.
    """

    first: float
    second: float
    value: float
    spread: float | None

    @property
    def is_clear(self) -> bool:
        """Whether zero is outside the interval."""
        return self.spread is not None and abs(self.value) > self.spread + EQUAL


@dataclass(frozen=True)
class Pair:
    """A setting of A and the one of B that belongs to it; where they differ in an axis, its text has both values.

    `models`: the quantized models of both; pairs that share them share their metric. `values`: by column of `VALUES`.
    """

    name: str
    axes: dict[str, str]
    models: tuple[frozenset[str], ...]
    values: dict[str, tuple[BySeed, ...]]

    @property
    def n_seeds(self) -> str:
        """Of both, or of each where they differ."""
        return "/".join(dict.fromkeys(str(len(of)) for of in self.values["bits_per_weight"]))


@dataclass(frozen=True)
class Comparison:
    """What there is to say of two experiments, A and B, with their points as `tables.per_point` gives them.

    `by_axis`: the pairs of each value of each axis that a side varied. `only`: the settings that one side has alone.
    `config`, `apart`: a name and the values of both, of each key that differs, and where there are no pairs of each
    axis in which no setting of A is as one of B.
    """

    names: tuple[str, str]
    commands: list[str]
    points: list[pl.DataFrame]
    metric: Metric
    config: list[tuple[str, ...]]
    pairs: list[Pair]
    by_axis: dict[str, list[Pair]]
    only: list[list[str]]
    apart: list[tuple[str, ...]]


def compare(*places: Path) -> Comparison:
    """Compare the experiments in two report directories.

    Raises `CollectError` naming a file that cannot be read or a directory without a result, and where the two are
    judged by different metrics.
    """
    experiments = [read_experiment(place) for place in places]
    tables = [tabulate(experiment).filter(pl.col("status") == "ok") for experiment in experiments]
    for place, table in zip(places, tables, strict=True):
        if table["baseline"].all():
            raise CollectError(f"{place} has no point with a result yet")
    (first, second), (metric, other) = places, map(metric_of, tables)
    if metric != other:
        raise CollectError(
            f"{first} is judged by {metric.name} and {second} by {other.name}: there is nothing to compare"
        )
    # What tells settings apart in one of them names them in both: else a narrower sweep would have none in common.
    varied = varied_keys(*((t, experiment.swept) for t, experiment in zip(tables, experiments, strict=True)))
    value_bits = pl.col("code_bits") + pl.col("patch_bits")
    points = [per_point(table, varied).with_columns(value_bits=value_bits) for table in tables]
    sides = [_settings(of, varied) for of in points]
    axes = [*AXES, *sorted(set().union(*varied.values()))]
    seen = {axis: [dict.fromkeys(side[axis]).keys() for side in sides] for axis in axes}
    disjoint = [axis for axis, (one, two) in seen.items() if one.isdisjoint(two)]
    joined = _joined(sides, [axis for axis in axes if axis not in disjoint or min(map(len, seen[axis])) > 1])
    pairs = [_pair(row, axes) for row in joined.iter_rows(named=True)]
    by_axis: dict[str, list[Pair]] = {}
    for axis, pair in product((axis for axis in axes if max(map(len, seen[axis])) > 1), pairs):
        if axis in pair.axes:
            by_axis.setdefault(f"{axis} {pair.axes[axis]}", []).append(pair)
    only = [
        [said(words.values()) for words in side.filter(~pl.col("place").is_in(matched.implode()))["said"]]
        for side, matched in zip(sides, (joined["place"], joined["place of B"]), strict=True)
    ]
    config, apart = _differing(*(distinct(table["config"]) for table in tables)), []
    if not pairs:
        apart = [
            (axis, *(listed([each or "none" for each in of], 4) for of in seen[axis])) for axis in disjoint
        ]
    names = (str(first), str(second)) if first.name == second.name else (first.name, second.name)
    commands = [experiment.command for experiment in experiments]
    return Comparison(names, commands, points, metric, config, pairs, by_axis, only, apart)


def difference(pairs: Iterable[tuple[BySeed, ...]]) -> Difference | None:
    """Of two means, from the values by seed of pairs: the mean over the pairs for each seed, then that over seeds.

    Seed by seed where both have at least two in common, since networks differ more than codings do; else of all their
    seeds, as independent ones (Welch). None without values on both sides.
    """
    known = [(one, two) for one, two in pairs if one and two]
    if not known:
        return None
    sides = [_of_seeds(side) for side in zip(*known, strict=True)]
    means = fmean(sides[0]), fmean(sides[1])
    common = _of_seeds({seed: two[seed] - one[seed] for seed in one if seed in two} for one, two in known)
    if len(common) > 1:
        return Difference(*means, fmean(common), half_width(common))
    spread = None
    if min(map(len, sides)) > 1:
        parts = [variance(side) / len(side) for side in sides]
        freedom = sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
        spread = t_quantile(sum(parts) ** 2 / freedom if freedom else 1.0) * math.sqrt(sum(parts))
    return Difference(*means, means[1] - means[0], spread)


def by_seed(seeds: Iterable[int], values: Iterable[float | None]) -> BySeed:
    """The values that there are."""
    return {seed: value for seed, value in zip(seeds, values, strict=True) if value is not None}


def _of_seeds(values: Iterable[BySeed]) -> list[float]:
    """Of each seed the mean over those that have it."""
    found: dict[int, list[float]] = {}
    for each in values:
        for seed, value in each.items():
            found.setdefault(seed, []).append(value)
    return [fmean(of) for of in found.values()]


def _differing(one: dict[str, list[Any]], two: dict[str, list[Any]]) -> list[tuple[str, ...]]:
    found = []
    for key in sorted(key for key in one | two if not determines_nothing(key)):
        texts = [dict.fromkeys(plain(value, key) for value in side.get(key, ())) for side in (one, two)]
        if texts[0].keys() != texts[1].keys():
            found.append((key, *(listed([*of], 8) or "not set" for of in texts)))
    return found


def _joined(sides: list[pl.DataFrame], alike: list[str]) -> pl.DataFrame:
    """The settings of both that belong together, in the order of the first: alike in these axes.

    Those are all axes but the ones in which the sides differ: one side has a single value, which the other has not, so
    that each setting of the other belongs to that one. Of several on both sides nothing says which belong together.
    """
    on = ["any", *alike]
    joined = sides[0].join(sides[1], on=on, suffix=ENDS[1], nulls_equal=True, maintain_order="left_right")
    return joined.filter(pl.min_horizontal(pl.col(f"place{end}").n_unique().over(on) for end in ENDS) == 1)


def _pair(row: dict[str, Any], axes: Iterable[str]) -> Pair:
    both = {axis: dict.fromkeys((row[axis], row.get(f"{axis}{ENDS[1]}", row[axis]))) for axis in axes}
    return Pair(
        name=said(*(row[f"said{end}"].values() for end in ENDS)),
        axes={axis: " / ".join(map(str, values)) for axis, values in both.items() if values != {None: None}},
        models=tuple(frozenset(row[f"quantized{end}"]) for end in ENDS),
        values={c: tuple(by_seed(row[f"seed{end}"], row[f"{c}{end}"]) for end in ENDS) for c in VALUES},
    )


def _settings(points: pl.DataFrame, varied: Varied) -> pl.DataFrame:
    """A row each, with its values by seed, its axes for readers, and what the join of `_joined` needs."""
    own = points.filter(~pl.col("baseline")).sort(BY_SETTING, maintain_order=True)
    rows = own.group_by(SETTING, maintain_order=True).agg(
        pl.col("point", "shape", "config").first(), "quantized", "seed", *VALUES
    )
    configs = rows["config"]
    coded_as = list(zip(setting(configs, "code"), setting(configs, "mask.codec"), strict=True))
    variants = {}
    for key in sorted(set().union(*varied.values())):
        values = zip(coded_as, setting(configs, key).to_list(), strict=True)
        # Settings of a code or mask codec are those of its own points.
        shared = not key.startswith(("code.", "mask."))
        texts = [plain(v, key) if shared or key in varied.get(coding, ()) else None for coding, v in values]
        variants[key] = pl.Series(texts, dtype=pl.String)
    names = {"code": CODE_NAMES, "mask codec": MASK_NAMES, "prune rate": {"0.0": "0"}}
    axes = {axis: pl.col(c).cast(pl.String).replace(names.get(axis, {})) for axis, c in AXES.items()}
    kept = ("quantized", "seed", *VALUES)
    return rows.select(*kept, any=0, said=pl.struct(SAID), **axes, **variants).with_row_index("place")
