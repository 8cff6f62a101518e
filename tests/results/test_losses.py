"""Losses against the reference, paired by seed."""

import pytest
from synthetic import make_row

from xorjax.metric import ACCURACY, Metric
from xorjax.results.losses import Loss, half_width, heading, loss_of
from xorjax.results.rows import to_frame
from xorjax.results.tables import per_point, summarise

PERPLEXITY = Metric("perplexity", "", higher_is_better=False, tolerance=0.5)
TABULATED = {1: 12.7062, 2: 4.3027, 8: 2.3060}
"""The .975 quantile of Student's t by degrees of freedom, from a printed table."""


def points(losses, dense=0.99, **values):
    """A point a seed; the references differ among themselves by much more than the losses."""
    return [
        make_row(
            point=f"p{seed}",
            seed=seed,
            dense_metric=dense,
            reference_metric=0.99 + 0.001 * seed,
            test_metric=0.99 + 0.001 * seed - loss,
            **values,
        )
        for seed, loss in enumerate(losses)
    ]


def loss(losses, **values) -> Loss:
    return loss_of(per_point(to_frame(points(losses, **values))), ACCURACY)


def test_the_interval_is_students():
    for degrees, quantile in TABULATED.items():
        values = [float(i % 2) for i in range(degrees + 1)]
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / degrees) ** 0.5
        assert half_width(values) == pytest.approx(quantile * deviation / len(values) ** 0.5, rel=1e-4)
    assert half_width([0.5]) is None


def test_losses_are_paired_by_seed_and_from_the_reference():
    found = loss([0.0002, 0.0004, 0.0006], dense=0.5)
    assert found.value == pytest.approx(0.0004)
    assert found.half_width == pytest.approx(4.3027 * 0.0002 / 3**0.5, rel=1e-4)
    assert found.text(ACCURACY) == "0.040 ± 0.050 pp (95 %, 3 seeds, paired by seed)"


def test_one_seed_tells_nothing_of_a_spread():
    found = loss([0.0005])
    assert found.text(ACCURACY) == "0.050 pp (1 seed: tells nothing of a spread)"


def test_a_metric_that_is_better_when_it_is_less_is_lost_upwards():
    row = {"metric": "perplexity", "metric_unit": "", "higher_is_better": False, "metric_tolerance": 0.5}
    rows = [
        make_row(**row, reference_metric=20.0, test_metric=20.5, validation_metric=20.5, dense_metric=30.0)
    ]
    (best,) = summarise(to_frame(rows))
    assert best.loss.value == pytest.approx(0.5)
    assert (heading(PERPLEXITY), heading(ACCURACY)) == ("loss", "loss (pp)")
    assert best.loss.text(PERPLEXITY).startswith("0.5 (")


def test_what_is_close_is_close_to_the_reference():
    values = {
        "validation_metric": 0.99,
        "dense_validation_metric": 0.99,
        "reference_validation_metric": 0.992,
    }
    (best,) = summarise(to_frame([make_row(**values)]))
    assert not best.is_close
    (best,) = summarise(
        to_frame(
            [make_row(**values | {"dense_validation_metric": 0.995, "reference_validation_metric": 0.991})]
        )
    )
    assert best.is_close
