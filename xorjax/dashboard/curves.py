"""The training curves that are shown: what is under way, and what was trained last, by names that tell them apart."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from xorjax.dashboard.plan import Plan, Stage
from xorjax.metric import Metric
from xorjax.results.palette import colours, css

_HASH = re.compile(r"-([0-9a-f]{10})$")


class ShownCurve(NamedTuple):
    """A stage's training by its name for people, its epochs when whole, its metric, and what was measured by column."""

    title: str
    epochs: int
    metric: Metric
    columns: dict[str, list[float | None]]


def drawn(curves: Sequence[ShownCurve]) -> dict[str, Any]:
    """The metric and the loss after every epoch, as plotly's JSON, and the legend of both."""
    if not curves:
        return {"figures": [], "legend": []}
    # plotly takes a second to come.
    from xorjax.results.curve_figures import Curve, curve_pair

    hues = list(colours(range(len(curves))).values())
    shown = [Curve("", curve.title, None, curve.columns) for curve in curves]
    figures = curve_pair(shown, hues, curves[0].metric)
    end = max(curve.epochs for curve in curves)
    if end > max(curve.columns["epoch"][-1] or 0 for curve in curves):
        for figure in figures:
            figure.update_xaxes(range=[0, end], dtick=1 if end < 8 else None)
    return {
        "figures": [figure.to_json() for figure in figures],
        "legend": [(curve.title, css(hue)) for curve, hue in zip(curves, hues, strict=True)],
    }


def curve_titles(stages: Sequence[Stage], plan: Plan) -> list[str]:
    """A short name for each stage; those that would have the same have what differs in their points' titles too."""
    plain = [_title(stage) for stage in stages]

    def more(i: int) -> list[str]:
        index = plan.stages.index(stages[i])
        titles = [point.title.split(", ") for point in plan.points.values() if index in point.stages] or [[]]
        shared = [word for word in titles[0] if all(word in title for title in titles)]
        return [
            word.removeprefix(f"{stages[i].kind}.") for word in shared if word not in plain[i].split(", ")
        ]

    return told_apart(told_apart(plain, more), lambda i: _HASH.findall(stages[i].name))


def told_apart(titles: Sequence[str], words: Callable[[int], list[str]]) -> list[str]:
    """The titles, with those of `words` that differ behind titles that are alike; `words` is asked by index."""
    alike: dict[str, list[int]] = defaultdict(list)
    for i, title in enumerate(titles):
        alike[title].append(i)
    found = list(titles)
    for group in alike.values():
        if len(group) > 1:
            more = {i: words(i) for i in group}
            common = set.intersection(*map(set, more.values()))
            for i, own in more.items():
                found[i] = ", ".join((titles[i], *(word for word in own if word not in common)))
    return found


def _title(stage: Stage) -> str:
    """ "quantize, S 0.9, seed 0" of a name as the pipeline gives it, model-dataset-seed0-S0.9-q1 and a hash."""
    name = _HASH.sub("", stage.name)
    seed, rate = re.search(r"-seed(\d+)", name), re.search(r"-S([\d.]+)", name)
    if seed is None:
        return f"{stage.kind} {name}"
    return ", ".join((stage.kind, *([f"S {rate[1]}"] if rate else []), f"seed {seed[1]}"))
