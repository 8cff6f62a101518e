"""Two experiments against each other: what differs in their settings, and what came of the settings that both have."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, variance

import polars as pl

from xorjax.metric import Metric
from xorjax.results.best import Best
from xorjax.results.caps import listed
from xorjax.results.collect import CollectError, Experiment, metric_of, read_experiment, tabulate
from xorjax.results.configs import determines_nothing, distinct, plain, setting
from xorjax.results.losses import EQUAL, half_width, t_quantile
from xorjax.results.page import count
from xorjax.results.tables import per_point, per_setting, summarise_points
from xorjax.results.variants import BY_SETTING, SAID, SETTING, Varied, said, varied_keys

SIZES = ("smaller", "larger")
METRIC_WORDS = ("worse", "better")
UNDECIDED = ("equal", "within the spread", "not judged (one seed)")
COMPARED = ("bits_per_weight", "validation_metric", "test_metric")
NAMES = {"asked": "n_out", "prune_rate": "prune rate"}
"""Of axes for readers."""
BySeed = dict[str, dict[int, float]]
"""Column of `COMPARED` -> seed -> value."""


@dataclass(frozen=True)
class Side:
    """One of the two: `settings` as `tables.per_setting` gives them, `by_seed` the values of each setting's seeds."""

    name: str
    command: str
    settings: pl.DataFrame
    summary: tuple[Best, ...]
    by_seed: dict[tuple, BySeed]
    values: dict[str, tuple[object, ...]]
    """The values that each config key has among its points."""
    models: dict[tuple, frozenset[str]]
    """The quantized models of each setting, a seed each."""
    said: dict[tuple, tuple]
    """The values of `SAID` of each setting."""
    axes: dict[tuple, dict[str, object]]
    """What tells each setting from others: its values of `SETTING`, each setting of its variant for itself."""


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
    """What both have of one thing, a setting or the best point of a prune rate; None where a side has no value.

    `models` are the quantized models of both: settings that share them share their metric.
    """

    name: str
    n_seeds: tuple[int, int]
    bits: Difference | None
    validation: Difference | None
    test: Difference | None
    models: tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class Comparison:
    """What there is to say of two experiments; `only` are the settings that one has and the other has not."""

    sides: tuple[Side, Side]
    config: tuple[tuple[str, ...], ...]
    """Config keys whose values differ, with the values of the first and of the second."""
    pairs: tuple[Pair, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    metric: Metric
    apart: tuple[str, ...]
    """Where there are no pairs: the axes in which no setting of one is as one of the other, a sentence each."""

    @property
    def words(self) -> tuple[str, str]:
        """What less and more of the metric are."""
        worse, better = METRIC_WORDS
        return (worse, better) if self.metric.higher_is_better else (better, worse)

    @property
    def rates(self) -> list[float]:
        return sorted({best.prune_rate for side in self.sides for best in side.summary})


def compare(first: Path, second: Path) -> Comparison:
    """Compare the experiments in two report directories.

    Raises `CollectError` naming a file that cannot be read or a directory without a result, and where the two are
    judged by different metrics.
    """
    (one_experiment, one_table), (other_experiment, other_table) = _read(first), _read(second)
    metric, other_metric = metric_of(one_table), metric_of(other_table)
    if metric != other_metric:
        raise CollectError(
            f"{first} is judged by {metric.name} and {second} by {other_metric.name}: there is nothing to compare"
        )
    # What tells settings apart in one of them names them in both: else a narrower sweep would have none in common.
    varied = varied_keys((one_table, one_experiment.swept), (other_table, other_experiment.swept))
    by_path = first.name == second.name
    sides = (
        _side(str(first) if by_path else first.name, one_experiment, one_table, varied),
        _side(str(second) if by_path else second.name, other_experiment, other_table, varied),
    )
    keys = sorted({key for side in sides for key in side.values if not determines_nothing(key)})
    config = tuple(
        (key, *(_listed(key, side.values) for side in sides))
        for key in keys
        if set(sides[0].values.get(key, ())) != set(sides[1].values.get(key, ()))
    )
    paired = _paired(sides)
    pairs = tuple(_pair(said(sides[0].said[keys[0]], sides[1].said[keys[1]]), keys, sides) for keys in paired)
    only_one, only_other = (
        tuple(said(side.said[key]) for key in side.said if key not in {keys[i] for keys in paired})
        for i, side in enumerate(sides)
    )
    return Comparison(sides, config, pairs, (only_one, only_other), metric, () if pairs else _apart(sides))


def _listed(key: str, values: Mapping[str, tuple[object, ...]]) -> str:
    return listed([plain(value, key) for value in values[key]], 8) if key in values else "not set"


def _paired(sides: tuple[Side, Side]) -> list[tuple[tuple, tuple]]:
    """The settings of both that belong together, in the order of the first.

    They agree in all axes but those in which the sides differ: one side has a single value, which the other has not.
    Each setting of the other then belongs to that one.
    """
    values = [_values(side) for side in sides]
    differing = {
        axis
        for axis, (first, second) in _by_axis(*values).items()
        if first.isdisjoint(second) and min(len(first), len(second)) == 1
    }
    groups: list[dict[frozenset, list[tuple]]] = [{}, {}]
    for side, group in zip(sides, groups, strict=True):
        for key, axes in side.axes.items():
            alike = frozenset(
                (axis, v) for axis, v in axes.items() if axis not in differing and v is not None
            )
            group.setdefault(alike, []).append(key)
    return [
        (key, match)
        for alike, keys in groups[0].items()
        for key in keys
        for match in groups[1].get(alike, ())
        # Of several on both sides nothing says which belong together.
        if min(len(keys), len(groups[1][alike])) == 1
    ]


def _apart(sides: tuple[Side, Side]) -> tuple[str, ...]:
    sentences = []
    for axis, both in _by_axis(*map(_values, sides)).items():
        if both[0].isdisjoint(both[1]):
            first, second = (listed(sorted(map(str, values)), 4) for values in both)
            sentences.append(
                f"{NAMES.get(axis, axis)} is {first} in {sides[0].name} and {second} in {sides[1].name}"
            )
    return tuple(sentences)


def _values(side: Side) -> dict[str, set[object]]:
    """Those that each axis has."""
    found: dict[str, set[object]] = {}
    for axes in side.axes.values():
        for axis, value in axes.items():
            found.setdefault(axis, set()).add(value)
    return found


def _by_axis(*sides: dict[str, set[object]]) -> dict[str, tuple[set[object], ...]]:
    return {
        axis: tuple(side.get(axis, {None}) for side in sides)
        for axis in dict.fromkeys(a for s in sides for a in s)
    }


def best_pair(sides: tuple[Side, Side], rate: float) -> tuple[Best | None, Best | None, Pair | None]:
    """Each side's best point of a prune rate, and both against each other if there are two."""
    first, second = (next((best for best in side.summary if best.prune_rate == rate), None) for side in sides)
    if first is None or second is None:
        return first, second, None
    return first, second, _pair(f"S {rate:g}", (first.setting, second.setting), sides)


def verdict(difference: Difference, words: tuple[str, str]) -> str:
    """What may be said of the second: `words` are for less and for more, used only beyond the spread over seeds."""
    equal, within, unjudged = UNDECIDED
    if difference.spread is None:
        return unjudged
    if abs(difference.value) <= 1e-12:
        return equal
    if not difference.is_clear:
        return within
    return words[difference.value > 0]


def shown(each: Difference, metric: Metric | None = None) -> str:
    """A difference, of the metric or of bits, with its spread; one that would read 0 and is not, by its magnitude."""
    scale, digits = (1.0, 4) if metric is None else (metric.scale, 2 if metric.unit == "%" else 4)
    value, zero = scale * each.value, 0.5 * 10.0**-digits
    digits_or_magnitude = "+.0e" if 1e-12 < abs(value) < zero else f"+.{digits}f"
    spread = "" if each.spread is None else f" ± {scale * each.spread:.{digits}f}"
    return f"{value:{digits_or_magnitude}}{spread}"


def summed_up(comparison: Comparison) -> str:
    """What came of the settings that both have, in a few sentences."""
    first, second = (side.name for side in comparison.sides)
    if not comparison.pairs:
        why = f": {'; '.join(comparison.apart)}" if comparison.apart else ""
        return f"{first} and {second} have no setting in common{why}."

    def counted(differences: Sequence[Difference], words: tuple[str, str]) -> str:
        verdicts = [verdict(each, words) for each in differences]
        found = {word: verdicts.count(word) for word in (*words, *UNDECIDED)}
        return ", ".join(f"{word} in {n}" for word, n in found.items() if n)

    bits = counted([pair.bits for pair in comparison.pairs if pair.bits], SIZES)
    # How a model is coded does not change its metric: that of each pair of models counts once.
    by_models = {pair.models: pair.test for pair in comparison.pairs if pair.test}
    measured = counted(list(by_models.values()), comparison.words)
    quantized = f"once for each of {count(len(by_models), 'pair')} of quantized networks"
    return (
        f"{count(len(comparison.pairs), 'setting')} in common, {second} against {first}. Bits per weight: {bits}. "
        f"Test {comparison.metric.name}, {quantized}: {measured}. "
        "A difference counts only beyond the 95 % interval (Student's t) of its seeds; "
        "with many settings expect one in twenty beyond it by chance."
    )


def front(settings: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    """The settings that no other beats in mean bits and in the mean metric by validation, from the smallest on."""
    sign = 1 if metric.higher_is_better else -1
    good = sign * pl.col("validation_metric")
    known = settings.drop_nulls("validation_metric").with_columns(good=good)
    ordered = known.sort("bits_per_weight", "good", descending=[False, True])
    before = pl.col("good").cum_max().shift(1)
    return ordered.filter(before.is_null() | (pl.col("good") > before))


def _read(report_dir: Path) -> tuple[Experiment, pl.DataFrame]:
    experiment = read_experiment(report_dir)
    table = tabulate(experiment)
    results = table.filter(pl.col("status") == "ok")
    if results.filter(~pl.col("baseline")).is_empty():
        raise CollectError(f"{report_dir} has no point with a result yet")
    return experiment, results


def _side(name: str, experiment: Experiment, table: pl.DataFrame, varied: Varied) -> Side:
    points = per_point(table, varied)
    by_seed: dict[tuple, BySeed] = {}
    models: dict[tuple, frozenset[str]] = {}
    codes = points.filter(~pl.col("baseline")).sort(BY_SETTING, maintain_order=True)
    told = pl.struct(SAID).first().alias("said")
    settings = codes.group_by(SETTING, maintain_order=True).agg(
        told, pl.col("point").first(), "quantized", "seed", *COMPARED
    )
    said_of, axes, variants = {}, {}, _variants(table, varied)
    for *key, words, point, quantized, seeds, bits, validation, test in settings.iter_rows():
        said_of[tuple(key)] = tuple(words.values())
        axes[tuple(key)] = dict(zip(SETTING[:-1], key, strict=False)) | variants[point]
        models[tuple(key)] = frozenset(quantized)
        by_seed[tuple(key)] = {
            column: {seed: value for seed, value in zip(seeds, values, strict=True) if value is not None}
            for column, values in zip(COMPARED, (bits, validation, test), strict=True)
        }
    found: dict[str, tuple[object, ...]] = {
        key: tuple(tuple(value) if isinstance(value, list) else value for value in values)
        for key, values in distinct(table["config"]).items()
    }
    summary = tuple(summarise_points(points))
    return Side(name, experiment.command, per_setting(points), summary, by_seed, found, models, said_of, axes)


def _variants(table: pl.DataFrame, varied: Varied) -> dict[str, dict[str, object]]:
    """Of each point the settings without a column that were swept; those of a code or mask codec where it is theirs."""
    own = table.filter(~pl.col("baseline")).unique("point", keep="first", maintain_order=True)
    configs = own["config"]
    coded_as = list(zip(setting(configs, "code"), setting(configs, "mask.codec"), strict=True))
    found: dict[str, dict[str, object]] = {point: {} for point in own["point"]}
    for key in sorted(set().union(*varied.values())):
        of_coding = key.startswith(("code.", "mask."))
        for point, coding, value in zip(own["point"], coded_as, setting(configs, key).to_list(), strict=True):
            if not of_coding or key in varied.get(coding, ()):
                found[point][key] = plain(value, key)
    return found


def _pair(name: str, keys: tuple[tuple, tuple], sides: tuple[Side, Side]) -> Pair:
    first, second = (side.by_seed[key] for side, key in zip(sides, keys, strict=True))
    bits, validation, test = (difference(first[column], second[column]) for column in COMPARED)
    models = (sides[0].models[keys[0]], sides[1].models[keys[1]])
    return Pair(name, (len(first[COMPARED[0]]), len(second[COMPARED[0]])), bits, validation, test, models)


def difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """The difference of two means over seeds, from the values by seed.

    Seed by seed where both have at least two in common, since networks differ more than codings do; else of all their
    seeds, as independent ones (Welch).
    """
    if not first or not second:
        return None
    means = fmean(first.values()), fmean(second.values())
    common = [second[seed] - first[seed] for seed in first if seed in second]
    if len(common) > 1:
        return Difference(*means, fmean(common), half_width(common))
    spread = None
    if len(first) > 1 and len(second) > 1:
        parts = [variance(side.values()) / len(side) for side in (first, second)]
        freedom = [part**2 / (len(side) - 1) for part, side in zip(parts, (first, second), strict=True)]
        degrees = sum(parts) ** 2 / sum(freedom) if sum(freedom) else 1.0
        spread = t_quantile(degrees) * math.sqrt(sum(parts))
    return Difference(*means, means[1] - means[0], spread)
