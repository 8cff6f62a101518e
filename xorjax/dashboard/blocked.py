"""Which stages wait in vain: a stage that failed ends its points, and what only such points need is not made."""

from collections.abc import Iterable, Sequence

from xorjax.dashboard.planned import Stage


def blocked(
    stages: Sequence[Stage], states: Sequence[tuple[str, str]], points: Iterable[Sequence[int]]
) -> list[tuple[str, str]]:
    """The states and notes of the stages, with "blocked" in place of "waiting" where nobody is going to make one.

    `points` are the indices of each point's stages.
    """
    causes: dict[int, int] = {}
    needed: set[int] = set()
    for own in points:
        cause = next((i for i in own if states[i][0] == "failed"), None)
        if cause is None:
            needed.update(own)
        else:
            causes |= {i: cause for i in own if i not in causes}
    found = list(states)
    for i, cause in causes.items():
        if states[i][0] == "waiting" and i not in needed:
            found[i] = "blocked", f"blocked by {stages[cause].kind} {stages[cause].name}, which failed"
    return found
