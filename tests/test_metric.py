"""A metric's direction decides what is better, what is lost, and how it is written."""

import pytest

from xorjax.metric import Metric

ACCURACY = Metric("accuracy", "%", higher_is_better=True, tolerance=0.0015)
PERPLEXITY = Metric("perplexity", "", higher_is_better=False, tolerance=0.5)


@pytest.mark.parametrize(("metric", "good", "bad"), [(ACCURACY, 0.99, 0.98), (PERPLEXITY, 89.6, 92.0)])
def test_better_is_less_lost(metric, good, bad):
    assert metric.is_better(good, bad)
    assert not metric.is_better(bad, good)
    assert not metric.is_better(good, good)
    assert metric.loss(bad, good) > 0 > metric.loss(good, bad)
    assert metric.is_better(bad, metric.worst)


def test_text_is_for_people():
    assert ACCURACY.text(0.99354) == "99.35 %"
    assert PERPLEXITY.text(89.64) == "89.64"
    assert Metric("energy", "J", higher_is_better=False, tolerance=0.0).text(12.0) == "12 J"
