"""Losses against the reference, paired by seed."""

import pytest
from synthetic import make_row

from xorjax.metric import ACCURACY, Metric
from xorjax.results.losses import Loss, caption, half_width, heading, loss_of
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
    assert found.limit(ACCURACY) == "3 seeds: cannot tell less than 0.050 pp"


def test_one_seed_tells_nothing_of_a_spread():
    found = loss([0.0005])
    assert found.text(ACCURACY) == "0.050 pp (1 seed: tells nothing of a spread)"
    assert found.limit(ACCURACY) == "1 seed: tells nothing of a spread"


def test_equal_losses_tell_no_less_than_one_example():
    found = Loss(0.0005, 0.0, 3, 10_000)
    assert found.limit(ACCURACY) == (
        "3 seeds of equal loss: cannot tell less than one of 10,000 test examples, 0.010 pp"
    )
    assert Loss(0.5, 0.0, 3, 10_000).limit(PERPLEXITY) == "3 seeds of equal loss: tell nothing of a spread"


def test_ten_seeds_are_enough_to_say_no_more_than_the_interval():
    assert loss([0.0001 * i for i in range(10)]).limit(ACCURACY) is None
    assert loss([0.0001 * i for i in range(9)]).limit(ACCURACY) is not None


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


def test_the_caption_says_where_seeds_are_few():
    one, three, ten = Loss(0.001, None, 1, 10), Loss(0.001, 0.0005, 3, 10), Loss(0.001, 0.0005, 10, 10)
    assert caption([(0.9, ten)], ACCURACY).endswith("± its 95 % interval (Student's t).")
    assert caption([(0.9, three), (0.95, three)], ACCURACY).endswith(
        ". 3 seeds: cannot tell less than 0.050 pp."
    )
    assert caption([(0.9, one), (0.95, ten)], ACCURACY).endswith(
        ". 1 seed: tells nothing of a spread at S = 0.9."
    )
