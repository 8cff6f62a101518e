import itertools

import numpy as np
import pytest

from xorjax.results import palette
from xorjax.results.palette import CYCLE, N_STEPS, NEUTRAL, ON_DARK, PAGES, RAMP, colours

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency" (2009),
# severity 1, on linear RGB.
SIGHT = {
    "all cones": "1 0 0  0 1 0  0 0 1",
    "no red cones": "0.152286 1.052583 -0.204868  0.114503 0.786281 0.099216  -0.003882 -0.048116 1.051998",
    "no green cones": "0.367322 0.860646 -0.227968  0.280085 0.672501 0.047413  -0.01182 0.04294 0.968881",
    "no blue cones": "1.255528 -0.076749 -0.178779  -0.078411 0.930809 0.147602  0.004733 0.691367 0.3039",
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(parts: np.ndarray) -> np.ndarray:
    """CIE L*a*b*, white D65."""
    xyz = XYZ @ np.clip(parts, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen(drawn: tuple[str, ...], sight: str) -> list[np.ndarray]:
    cones = np.array(SIGHT[sight].split(), float).reshape(3, 3)
    return [lab(cones @ linear(colour)) for colour in drawn]


def least_distance(drawn: tuple[str, ...], sight: str) -> float:
    pairs = itertools.combinations(seen(drawn, sight), 2)
    return min(float(np.linalg.norm(a - b)) for a, b in pairs)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    low, high = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def shown(drawn: tuple[str, ...], theme: str) -> tuple[str, ...]:
    return drawn if theme == "light" else tuple(ON_DARK[colour] for colour in drawn)


@pytest.mark.parametrize("theme", PAGES)
@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_hues_differ_for_everyone(theme, sight):
    assert least_distance(shown((*CYCLE, NEUTRAL), theme), sight) >= 15.5


@pytest.mark.parametrize("theme", PAGES)
def test_every_colour_stands_out_from_its_page(theme):
    for page in PAGES[theme]:
        assert min(contrast(colour, page) for colour in shown((*CYCLE, NEUTRAL, *RAMP), theme)) >= 3


def test_the_checks_find_what_okabe_and_ito_leave():
    assert min(contrast(colour, "#FFFFFF") for colour in OKABE_ITO) < 2.5
    assert least_distance((*OKABE_ITO, "#9AA5B1"), "no green cones") < 5


@pytest.mark.parametrize("theme", PAGES)
@pytest.mark.parametrize("sight", SIGHT)
def test_the_ramp_gets_lighter_for_everyone(theme, sight):
    lightness = [
        lab(np.array(SIGHT[sight].split(), float).reshape(3, 3) @ linear(colour))[0]
        for colour in shown(RAMP, theme)
    ]
    assert all(np.diff(lightness) > 0)


def test_a_few_values_get_hues_and_many_the_ramp_in_order():
    assert colours([0.95, 0.9, 0.95]) == {0.9: CYCLE[0], 0.95: CYCLE[1]}
    many = colours([i / 40 for i in range(40)])
    places = [RAMP.index(colour) for colour in many.values()]
    assert places == sorted(places)
    assert set(places) == set(range(N_STEPS))


def test_css_follows_the_theme():
    assert palette.css(CYCLE[0]) == "var(--c084D8A,#084D8A)"
    assert "--c084D8A: #206FC6;" in palette.css_variables("dark")
    assert palette.css("var(--ink)") == "var(--ink)"
