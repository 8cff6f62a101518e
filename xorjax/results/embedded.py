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
    if digits is None:
        found = text(column)
        return (
            {"same": column[0], "n": len(column)}
            if len(found["texts"]) == 1 and -1 not in found["index"]
            else found
        )
    if column.dtype.is_float():
        column = column.fill_nan(None)
        column = column.round(digits) if digits else column
    if column.n_unique() == 1:
        return {"digits": digits, "same": column[0], "n": len(column)}
    return {"digits": digits, "values": column.to_list()}
