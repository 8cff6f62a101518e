"""The pieces of HTML of which the report is made; nothing here knows what a result is."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

from xorjax.results.palette import ON_DARK, css, themed

# The page may load nothing: a request to anywhere would be refused by the browser and shown as an error.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

Cell = tuple[str, str]
"""A cell of a table: its text and its CSS classes."""


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
    return f"const {name} = {_inside_script(text)};"


def count(n: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def section(name: str, title: str, *parts: str) -> str:
    """A section with a heading, reached by #name."""
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    groups: Mapping[str, int] | None = None,
    label: str = "table",
) -> str:
    """A table; a heading is aligned as the cells below it.

    `groups`: headings above the headings, with the number of columns that each spans. `label`: what a screen reader
    calls it.
    """
    aligned = ["text" if "text" in kinds else "" for _, kinds in rows[0]]
    above = "".join(
        f'<th colspan="{n}" scope="colgroup">{escape(name)}</th>' for name, n in (groups or {}).items() if n
    )
    head = "".join(
        f'<th class="{kind}" scope="col">{escape(name)}</th>'
        for name, kind in zip(headings, aligned, strict=True)
    )
    lines = "\n".join(
        "<tr>" + "".join(f'<td class="{kinds}">{escape(text)}</td>' for text, kinds in row) + "</tr>"
        for row in rows
    )
    above = f'<tr class="groups">{above}</tr>' if groups else ""
    return scrolled(
        f"<table><thead>{above}<tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>", label
    )


def empty_table(headings: Mapping[str, str], label: str, kind: str = "") -> str:
    """A table that a script fills: headings, as HTML, with the CSS classes of their columns; `kind` is its own."""
    heads = "".join(f'<th scope="col" class="{kinds}">{name}</th>' for name, kinds in headings.items())
    own = f' class="{kind}"' if kind else ""
    return scrolled(f"<table{own}><thead><tr>{heads}</tr></thead><tbody></tbody></table>", label)


def scrolled(content: str, label: str) -> str:
    """A part of the page that scrolls by itself, by the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'


def panel(
    title: str, figure: str, wide: bool, height: int | None = None, note: str = "", about: str = ""
) -> str:
    """A figure, given as plotly's JSON, with its title and a note; of a height in pixels, or as high as all are.

    `about`: what a screen reader says of it; by default the title.
    """
    style = f' style="height:{height}px"' if height else ""
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    below = f'<p class="caption">{escape(note.strip())}</p>' if note else ""
    label = escape(about or title) or "figure"
    data = f'<script type="application/json">{_inside_script(figure)}</script>'
    return (
        f'<div class="panel{" wide" if wide else ""}">{heading}'
        f'<div class="plot" role="img" aria-label="{label}"{style}>{data}</div>{below}</div>'
    )


def failure(title: str, message: str, points: Sequence[str], command: str) -> str:
    """What some points failed of: the message, the points, and the command that runs the first of them."""
    names = "".join(f"<li>{escape(name)}</li>" for name in points)
    which = "its command" if len(points) == 1 else "the first one's command"
    return (
        f'<div class="failure"><strong>{escape(title)}</strong><pre>{escape(message)}</pre>'
        f'<ul>{names}</ul><p class="buttons">{which}: <button type="button" data-copy>Copy</button> '
        f'<span role="status"></span></p><code>{escape(command)}</code></div>'
    )


def settings_table(settings: Mapping[str, object]) -> str:
    """A table of names and values without headings."""
    lines = "\n".join(
        f'<tr><td class="text">{escape(name)}</td><td class="text">{escape(_plain(value))}</td></tr>'
        for name, value in settings.items()
    )
    return scrolled(f'<table class="settings"><tbody>\n{lines}\n</tbody></table>', "settings")


def legend(entries: Mapping[str, str | tuple[str, str]]) -> str:
    """A legend: name -> colour, or the style of a line (solid, dashed, dotted), or a sign and its colour."""
    items = "".join(f"<li>{_mark(mark)}{escape(name)}</li>" for name, mark in entries.items())
    return f'<ul class="legend">{items}</ul>'


def _mark(mark: str | tuple[str, str]) -> str:
    if isinstance(mark, tuple):
        return f'<span style="color:{css(mark[1])}">{mark[0]}</span>'
    if mark in ("solid", "dashed", "dotted"):
        return f'<i class="{mark}"></i>'
    return f'<i style="background:{css(mark)}"></i>'


def definitions(entries: Mapping[str, str]) -> str:
    """A list of words and their meanings."""
    lines = "\n".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in entries.items())
    return f"<dl>\n{lines}\n</dl>"


def _inside_script(text: str) -> str:
    """JSON that can neither end the script element that it is in, nor begin a comment or another in it."""
    return text.replace("<", "\\u003c")


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "none" if value is None else str(value)
