"""How long work of several kinds will take, from what it took so far."""

from collections.abc import Collection, Mapping


def seconds_left(
    left: Mapping[str, int],
    done: Mapping[str, int],
    spent: Mapping[str, float],
    trained: Collection[str],
    at_once: int,
) -> float | None:
    """Seconds: the units of each kind that are left, each at the mean of its kind so far, over those `at_once`.

    A kind not met yet is taken to cost a second a unit, or if it trains, where a unit is an epoch, as much as the
    training that was met.

    Args:
        left: units by kind.
        done: units by kind.
        spent: the seconds that `done` took.
        trained: the kinds whose units are epochs.
        at_once: how many units are worked on at the same time.

    Returns:
        None if nothing is known, or if most of the epochs left are of kinds not met: those of a dense training cost
        several times those of a pruning with frozen convolutions, so that nothing is better than a guess.
    """
    rates = {kind: spent[kind] / n for kind, n in done.items() if n}
    if not rates:
        return None
    epochs = {kind: n for kind, n in left.items() if kind in trained}
    if 2 * sum(n for kind, n in epochs.items() if kind not in rates) > sum(epochs.values()):
        return None
    met = [kind for kind in trained if kind in rates]
    epoch = sum(spent[kind] for kind in met) / max(1, sum(done[kind] for kind in met))
    return sum(n * rates.get(kind, epoch if kind in trained else 1.0) for kind, n in left.items()) / max(
        1, at_once
    )


def duration(seconds: int | float) -> str:
    """For readers, in the largest unit of which there are two: "40 s", "5 min", "3 h"."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
