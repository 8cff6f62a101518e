"""Where a number stands in a Markdown document: in the table after an anchor, or in a sentence that is quoted.

An anchor is the comment `<!-- figures: NAME -->` on the line before a table. Nothing else of the document is looked at,
so that text may move and grow around it.
"""

import re
from dataclasses import dataclass

ANCHOR = "<!-- figures: {} -->"
_PLAIN = r"-?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:e\d+)?"
# What follows a letter, "=", "-" or "/" is a name or a setting: LeNet-5, S=.95, FC1.
NUMBER = re.compile(rf"(?<![\w.=/-]){_PLAIN}(?!\.?\w)")
Cells = dict[str, list[str]]
"""The label of a row, "" for a sentence, -> its numbers as they are written, from left to right."""


class PlaceError(Exception):
    """The document has no such place; one sentence that says which."""


@dataclass(frozen=True)
class Table:
    """The table after the anchor of that name, or those of its rows whose labels are listed.

    The first `n_labels` cells of a row are its label; an empty one repeats that of the row above.
    """

    anchor: str
    n_labels: int = 1
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sentence:
    """Words of the document, `{}` in place of each number; how lines are broken does not matter."""

    text: str


Place = Table | Sentence


def read(document: str, place: Place) -> Cells:
    """The numbers at `place`.

    Raises:
        PlaceError: there is no such anchor, table, row or sentence, or more than one.
    """
    if isinstance(place, Sentence):
        return {"": list(find(document, place).groups())}
    cells = labelled(table_after(document, place.anchor), place.n_labels)
    if absent := [label for label in place.rows if label not in cells]:
        raise PlaceError(f"the table {place.anchor!r} has no row {absent[0]!r}, only {', '.join(cells)}")
    return {label: cells[label] for label in place.rows or cells}


def find(document: str, sentence: Sentence) -> re.Match[str]:
    """Where the sentence stands; a group for each of its numbers."""
    parts = (r"\s+".join(re.escape(word) for word in part.split(" ")) for part in sentence.text.split("{}"))
    found = list(re.finditer(f"({_PLAIN})".join(parts), document))
    if len(found) != 1:
        raise PlaceError(f"{len(found)} times in the document, expected once: {sentence.text!r}")
    return found[0]


def anchors(document: str) -> list[str]:
    """The names of all anchors."""
    return re.findall(ANCHOR.format("(.+?)"), document)


def tables(document: str) -> list[list[str]]:
    """The lines of each table, and before them the line above it."""
    found, above = [], ""
    lines = document.splitlines()
    for i, line in enumerate(lines):
        if not line.startswith("|"):
            above = line
            continue
        if i == 0 or not lines[i - 1].startswith("|"):
            found.append([above])
        found[-1].append(line)
    return found


def table_after(document: str, name: str) -> list[list[str]]:
    """The cells of the body of the table after an anchor."""
    found = [lines for above, *lines in tables(document) if above == ANCHOR.format(name)]
    if len(found) != 1:
        raise PlaceError(f"{len(found)} tables after {ANCHOR.format(name)}, expected one")
    return body(found[0])


def body(lines: list[str]) -> list[list[str]]:
    """The cells of a table's rows, without bold and code marks."""
    return [
        [re.sub("[*`]", "", cell).strip() for cell in line.strip().strip("|").split("|")]
        for line in lines[2:]
    ]


def labelled(rows: list[list[str]], n_labels: int) -> Cells:
    """The numbers of each row by its label."""
    cells, above = {}, [""] * n_labels
    for row in rows:
        above = [own or last for own, last in zip(row, above, strict=False)]
        label = label_of(*above)
        if label in cells:
            raise PlaceError(f"two rows of a table are called {label!r}")
        cells[label] = NUMBER.findall(" | ".join(row[n_labels:]))
    return cells


def label_of(*cells: object) -> str:
    """A label of several cells; a cell that is a number is written in one way."""
    return " | ".join(_plainly(str(cell)) for cell in cells)


def _plainly(cell: str) -> str:
    try:
        return f"{float(cell):g}"
    except ValueError:
        return cell


def parse(number: str) -> float:
    return float(number.replace(",", ""))


def unit(number: str) -> float:
    """What the last digit of a number stands for: .0001 for ".1310", 1e7 for "1.09e9"."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
