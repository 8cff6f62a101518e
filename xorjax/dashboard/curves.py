"""The training curves that are shown: what is under way, and what was trained last, by names that tell them apart."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from xorjax.dashboard.planned import Planned, Stage
from xorjax.dashboard.stages import RunDirectory, Work

SHOWN_RUNNING = 8
SHOWN_FINISHED = 4
_HASH = re.compile(r"-([0-9a-f]{10})$")


def curves(
    run: RunDirectory, begun: Sequence[tuple[Stage, Work]], plan: Planned, states: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Those of the stages that are `begun` and of the last that are whole; `states` are those of the plan's stages."""
    order = {key: i for i, key in enumerate(run.log.last)}
    whole = [
        stage
        for stage, (state, _) in zip(plan.stages, states, strict=True)
        if state == "done" and stage.epochs
    ]
    whole.sort(key=lambda stage: order.get(stage[:2], -1))
    shown = [(stage, work.state) for stage, work in begun[-SHOWN_RUNNING:]]
    shown += [(stage, "done") for stage in reversed(whole[-SHOWN_FINISHED:])]
    found = [(stage, state, run.curve(stage, state == "done")) for stage, state in shown]
    found = [each for each in found if each[2]["epoch"]]
    titles = curve_titles([stage for stage, _, _ in found], plan)
    return [
        {"kind": stage.kind, "name": stage.name, "title": title, "of": stage.epochs, "state": state} | curve
        for (stage, state, curve), title in zip(found, titles, strict=True)
    ]


def curve_titles(stages: Sequence[Stage], plan: Planned) -> list[str]:
    """A short name for each stage; those that would have the same have what differs in their points' titles too."""
    plain = [_title(stage) for stage in stages]

    def more(i: int) -> list[str]:
        prefix, said = f"{stages[i].kind}.", plain[i].split(", ")
        return [word.removeprefix(prefix) for word in _settings(stages[i], plan) if word not in said]

    titles = told_apart(plain, more)
    counts = Counter(titles)
    hashes = [_HASH.search(stage.name) for stage in stages]
    return [
        f"{title}, {found[1]}" if counts[title] > 1 and found else title
        for title, found in zip(titles, hashes, strict=True)
    ]


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


def _settings(stage: Stage, plan: Planned) -> list[str]:
    """The words that the titles of all points of a stage have in common."""
    index = plan.stages.index(stage)
    titles = [detail.title.split(", ") for detail in plan.details.values() if index in detail.stages]
    return [word for word in titles[0] if all(word in title for title in titles)] if titles else []
