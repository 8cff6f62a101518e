"""A table inside a page: a column each, every text once, long texts as the words that they share."""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

# Commands and names differ in a word or two: they are cut behind spaces and hyphens.
_CUT = re.compile(r"(?<=[ -])")


def columns(table: pl.DataFrame, digits: Mapping[str, int | None]) -> dict[str, Any]:
    """The columns of `digits`, as explore.js reads them; a value's digits after its point, 0 as it is, None a text."""
    return {name: _column(table[name], n) for name, n in digits.items()}


def text(column: pl.Series) -> dict[str, Any]:
    """A column of texts: "index" of each value in "texts" (-1: null), each a list of places in "words"."""
    words: dict[str, int] = {}
    texts: dict[str, int] = {}
    packed = []
    index = []
    for value in column.to_list():
        if value is not None and value not in texts:
            texts[value] = len(texts)
            packed.append([words.setdefault(word, len(words)) for word in _CUT.split(value)])
        index.append(-1 if value is None else texts[value])
    return {"words": list(words), "texts": packed, "index": index}


def _column(column: pl.Series, digits: int | None) -> dict[str, Any]:
    if column.dtype.is_float():
        column = column.fill_nan(None)
        column = column.round(digits) if digits else column
    said = {} if digits is None else {"digits": digits}
    if column.n_unique() == 1 and (digits is not None or column[0] is not None):
        return said | {"same": column[0], "n": len(column)}
    return text(column) if digits is None else said | {"values": column.to_list()}
