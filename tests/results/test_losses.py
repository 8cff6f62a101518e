"""Losses against the reference, paired by seed."""

from collections.abc import Sequence

import pytest
from synthetic import PERPLEXITY, make_row

from xorjax.metric import ACCURACY
from xorjax.results.losses import Loss, half_width, heading, loss_of
from xorjax.results.rows import to_frame
from xorjax.results.tables import per_point, summarise

TABULATED = {1: 12.7062, 2: 4.3027, 8: 2.3060}
"""The .975 quantile of Student's t by degrees of freedom, from a printed table."""


def loss_of_seeds(losses: Sequence[float], dense: float = 0.99) -> Loss:
    """A point a seed; the references differ among themselves by much more than the losses."""
    rows = []
    for seed, loss in enumerate(losses):
        reference = 0.99 + 0.001 * seed
        measured = {"dense_metric": dense, "reference_metric": reference, "test_metric": reference - loss}
        rows.append(make_row(point=f"p{seed}", seed=seed, **measured))
    return loss_of(per_point(to_frame(rows)), ACCURACY)


def test_the_interval_is_students():
    for degrees, quantile in TABULATED.items():
        values = [float(i % 2) for i in range(degrees + 1)]
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / degrees) ** 0.5
        assert half_width(values) == pytest.approx(quantile * deviation / len(values) ** 0.5, rel=1e-4)
    assert half_width([0.5]) is None


def test_losses_are_paired_by_seed_and_from_the_reference():
    found = loss_of_seeds([0.0002, 0.0004, 0.0006], dense=0.5)
    assert found.value == pytest.approx(0.0004)
    assert found.half_width == pytest.approx(4.3027 * 0.0002 / 3**0.5, rel=1e-4)
    assert found.text(ACCURACY) == "0.040 ± 0.050 pp (95 %, 3 seeds, paired by seed)"
    assert loss_of_seeds([0.0005]).text(ACCURACY) == "0.050 pp (1 seed: tells nothing of a spread)"


def test_a_metric_that_is_better_when_it_is_less_is_lost_upwards():
    measured = {"reference_metric": 20.0, "test_metric": 20.5, "validation_metric": 20.5}
    (best,) = summarise(to_frame([make_row(**PERPLEXITY | measured)]))
    assert best.loss.value == pytest.approx(0.5)
    assert (heading(best.metric), heading(ACCURACY)) == ("loss", "loss (pp)")
    assert best.loss.text(best.metric).startswith("0.5 (")


def test_what_is_close_is_close_to_the_reference():
    for dense, reference, is_close in ((0.99, 0.992, False), (0.995, 0.991, True)):
        of = {"dense_validation_metric": dense, "reference_validation_metric": reference}
        (best,) = summarise(to_frame([make_row(validation_metric=0.99, **of)]))
        assert best.is_close == is_close
