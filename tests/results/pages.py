"""What a page holds, by the names that its readers know: tables by their labels, figures by what they show."""

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rich.console import Console
from synthetic import write_report

from xorjax.results.report import build_report


class Page(HTMLParser):
    """Text, elements, tables and figures of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = [("", {})]
        self.text = ""
        self.scripts: list[str] = []
        self.figures: dict[str, dict[str, Any]] = {}
        self.tables: dict[str, list[dict[str, str]]] = {}
        self._label = ""
        self._headings: list[str] = []
        self._cells: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if "aria-label" in attributes:
            self._label = attributes["aria-label"] or ""
        if tag == "table":
            self.tables[self._label], self._headings = [], []
        if tag == "th" and attributes.get("scope") == "col":
            self._headings.append("")
        if tag == "tr":
            self._cells = []
        if tag == "td":
            self._cells.append("")

    def handle_endtag(self, tag):
        if tag == "tr" and self._cells and self._headings:
            headings = [name.strip() for name in self._headings]
            names = [name + "'" * headings[:i].count(name) for i, name in enumerate(headings)]
            self.tables[self._label].append(dict(zip(names, map(str.strip, self._cells), strict=True)))

    def handle_data(self, data):
        tag, attributes = self.elements[-1]
        if self.cdata_elem is None:
            self.text += data
            if tag == "th" and self._headings:
                self._headings[-1] += data
            if tag == "td" and self._cells:
                self._cells[-1] += data
        elif tag == "script" and attributes.get("type") == "application/json":
            self.figures[self._label] = json.loads(data)
        elif tag == "script":
            self.scripts.append(data)

    @property
    def data(self) -> dict[str, Any]:
        """What the scripts read."""
        script = next(script for script in self.scripts if script.startswith("const DATA = "))
        return json.loads(script.removeprefix("const DATA = ").removesuffix(";"))

    @property
    def sections(self) -> list[str]:
        return [str(attributes["id"]) for tag, attributes in self.elements if tag == "section"]

    def drawn(self, start: str) -> list[dict[str, Any]]:
        """The figures whose label starts so."""
        return [figure for label, figure in self.figures.items() if label.startswith(start)]

    def values(self, column: str) -> list[Any]:
        """A column of the table of all rows."""
        return unpack(self.data["columns"][column])


def printed(table: Any, width: int = 80) -> str:
    """What a terminal of this width shows; no number is cut."""
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    return text


def unpack(packed: dict[str, Any]) -> list[Any]:
    """A column as explore.js reads it."""
    if "same" in packed:
        return packed["n"] * [packed["same"]]
    if "values" in packed:
        return packed["values"]
    texts = ["".join(packed["words"][word] for word in words) for words in packed["texts"]]
    return [None if i < 0 else texts[i] for i in packed["index"]]


def report(runs: Path, points: list[dict[str, Any]], **plan: Any) -> Page:
    """The report of an experiment with these points, as `synthetic.write_report` takes them."""
    return Page(build_report(write_report(runs, points, **plan)))


def traces(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its traces by name."""
    return {trace["name"]: trace for trace in figure["data"]}
