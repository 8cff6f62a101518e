"""How many digits the labels of an axis have: as many as tell them apart, however far one zooms in."""

DIGITS_BY_STEP: tuple[dict[str, object], ...] = (
    *({"dtickrange": [10.0**-n, 9 * 10.0**-n], "value": f".{n}f"} for n in (4, 3, 2, 1)),
    {"dtickrange": [1, None], "value": ".0f"},
)
"""Plotly's `tickformatstops`: for steps of 1, 2 or 5 times a power of ten."""
