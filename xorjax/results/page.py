"""The pieces of HTML of which the pages are made; nothing here knows what a result is."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple

from xorjax.results.palette import ON_DARK, css, themed

# The page may load nothing: a request to anywhere would be refused by the browser and shown as an error.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

Cell = tuple[str, str]
"""A cell of a table: its text and its CSS classes."""


class Column(NamedTuple):
    """A column of a table; neighbours of one `group` have its name above theirs."""

    name: str
    cells: Sequence[Cell]
    group: str = ""

    @property
    def is_text(self) -> bool:
        return "text" in self.cells[0][1]


def resource(name: str) -> str:
    """A file beside this module."""
    return files("xorjax.results").joinpath(name).read_text(encoding="utf-8")


def document(title: str, body: str, scripts: Sequence[str]) -> str:
    """One self-contained page that is light or dark as the reader has it, or chooses it."""
    style = themed(resource("report.css"))
    # First of all, so that nothing is drawn in the other theme before.
    before = f"<script>{script_data('ON_DARK', ON_DARK)}\n{resource('theme.js')}</script>"
    tags = "\n".join(f"<script>{script}</script>" for script in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n{before}\n</head>\n"
        '<body>\n<a class="skip" href="#main">Skip to the content</a>\n'
        '<button id="theme" type="button">Dark</button>\n'
        f'<main id="main" tabindex="-1">\n{body}\n</main>\n{tags}\n</body>\n</html>\n'
    )


def script_data(name: str, value: object) -> str:
    """A script that defines the constant `name`, safe inside a script element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return f"const {name} = {inside_script(text)};"


def inside_script(text: str) -> str:
    """JSON that can neither end the script element that it is in, nor begin a comment or another in it."""
    return text.replace("<", "\\u003c")


def count(n: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def section(name: str, title: str, *parts: str) -> str:
    """A section with a heading, reached by #name."""
    return (
        f'<section id="{name}">\n<h2>{escape(title)}</h2>\n' + "\n".join(filter(None, parts)) + "\n</section>"
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text, "" of none."""
    if not text:
        return ""
    return f'<p class="{kind}">{escape(text.strip())}</p>' if kind else f"<p>{escape(text.strip())}</p>"


def table(label: str, given: Sequence[Column]) -> str:
    """A table; `label` is what a screen reader calls it. A heading is aligned as the cells below it.

    Empty columns are left out; a text that is the same in all of several rows is said below.
    """
    same, kept = [], []
    for column in given:
        texts = {text for text, _ in column.cells}
        if texts == {""}:
            continue
        if column.is_text and len(texts) == 1 < len(column.cells):
            same.append(f"{column.name} {column.cells[0][0]}")
        else:
            kept.append(column)
    above = "".join(
        f'<th colspan="{len(list(those))}" scope="colgroup">{escape(group)}</th>'
        for group, those in groupby(column.group for column in kept)
    )
    head = "".join(
        f'<th class="{"text" if column.is_text else ""}" scope="col">{escape(column.name)}</th>'
        for column in kept
    )
    lines = "\n".join(
        "<tr>" + "".join(f'<td class="{kinds}">{escape(text)}</td>' for text, kinds in row) + "</tr>"
        for row in zip(*(column.cells for column in kept), strict=True)
    )
    above = f'<tr class="groups">{above}</tr>' if len({column.group for column in kept}) > 1 else ""
    drawn = f"<table><thead>{above}<tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>"
    below = paragraph(f"The same in every row: {'; '.join(same)}." if same else "", "caption")
    return scrolled(drawn, label) + below


def empty_table(headings: Mapping[str, str], label: str, kind: str = "") -> str:
    """A table that a script fills: headings, as HTML, with the CSS classes of their columns; `kind` is its own."""
    heads = "".join(f'<th scope="col" class="{kinds}">{name}</th>' for name, kinds in headings.items())
    own = f' class="{kind}"' if kind else ""
    return scrolled(f"<table{own}><thead><tr>{heads}</tr></thead><tbody></tbody></table>", label)


def scrolled(content: str, label: str) -> str:
    """A part of the page that scrolls by itself, by the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'


def settings_table(settings: Mapping[str, str]) -> str:
    """A table of names and values without headings."""
    lines = "\n".join(
        f'<tr><td class="text">{escape(name).replace(".", ".<wbr>")}</td><td class="text">{escape(value)}</td></tr>'
        for name, value in settings.items()
    )
    return scrolled(f'<table class="settings"><tbody>\n{lines}\n</tbody></table>', "settings")


def legend(entries: Mapping[str, str | tuple[str, str]]) -> str:
    """A legend: name -> colour, or the style of a line (solid, dashed, dotted), or a sign and its colour."""

    def mark(of: str | tuple[str, str]) -> str:
        if isinstance(of, tuple):
            return f'<span style="color:{css(of[1])}">{of[0]}</span>'
        return (
            f'<i class="{of}"></i>'
            if of in ("solid", "dashed", "dotted")
            else f'<i style="background:{css(of)}"></i>'
        )

    items = "".join(f"<li>{mark(of)}{escape(name)}</li>" for name, of in entries.items())
    return f'<ul class="legend">{items}</ul>'


def definitions(entries: Mapping[str, str]) -> str:
    """A list of words and their meanings."""
    lines = "\n".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in entries.items())
    return f"<dl>\n{lines}\n</dl>"
