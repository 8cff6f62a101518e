"""The pieces of HTML of which the report is made; nothing here knows what a result is."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

# The page may load nothing: a request to anywhere would be refused by the browser and shown as an error.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def resource(name: str) -> str:
    """A file beside this module."""
    return files("xorjax.results").joinpath(name).read_text(encoding="utf-8")


def document(title: str, body: str, scripts: Sequence[str]) -> str:
    """One self-contained page."""
    css = resource("report.css")
    tags = "\n".join(f"<script>{script}</script>" for script in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n{tags}\n</body>\n</html>\n"
    )


def script_data(name: str, value: object) -> str:
    """A script that defines the constant `name`, safe inside a script element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return f"const {name} = {_inside_script(text)};"


def section(name: str, title: str, *parts: str) -> str:
    """A section with a heading, reached by #name."""
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[tuple[str, str]]],
    groups: Mapping[str, int] | None = None,
) -> str:
    """A table; a cell is (text, CSS classes), and a heading is aligned as the cells below it.

    `groups`: headings above the headings, with the number of columns that each spans.
    """
    aligned = ["text" if "text" in kinds else "" for _, kinds in rows[0]]
    above = "".join(f'<th colspan="{n}">{escape(name)}</th>' for name, n in (groups or {}).items() if n)
    head = "".join(
        f'<th class="{kind}">{escape(name)}</th>' for name, kind in zip(headings, aligned, strict=True)
    )
    lines = "\n".join(
        "<tr>" + "".join(f'<td class="{kinds}">{escape(text)}</td>' for text, kinds in row) + "</tr>"
        for row in rows
    )
    above = f'<tr class="groups">{above}</tr>' if groups else ""
    return (
        f'<div class="scroll"><table><thead>{above}<tr>{head}</tr></thead>\n'
        f"<tbody>\n{lines}\n</tbody></table></div>"
    )


def panel(title: str, figure: str, wide: bool, height: int | None = None) -> str:
    """A figure, given as plotly's JSON, with its title; of a height in pixels, or as high as all are."""
    style = f' style="height:{height}px"' if height else ""
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    return (
        f'<div class="panel{" wide" if wide else ""}">{heading}'
        f'<div class="plot"{style}><script type="application/json">{_inside_script(figure)}</script></div></div>'
    )


def failure(name: str, message: str, command: str) -> str:
    """A failed point: what it said and how to run it."""
    return (
        f'<div class="failure"><strong>{escape(name)}</strong><pre>{escape(message)}</pre>'
        f"<code>{escape(command)}</code></div>"
    )


def settings_table(settings: Mapping[str, object]) -> str:
    """A table of names and values without headings."""
    lines = "\n".join(
        f'<tr><td class="text">{escape(name)}</td><td class="text">{escape(_plain(value))}</td></tr>'
        for name, value in settings.items()
    )
    return f'<div class="scroll"><table class="settings"><tbody>\n{lines}\n</tbody></table></div>'


def legend(entries: Mapping[str, str | tuple[str, str]]) -> str:
    """A legend: name -> colour, or the style of a line (solid, dashed, dotted), or a sign and its colour."""
    items = "".join(f"<li>{_mark(mark)}{escape(name)}</li>" for name, mark in entries.items())
    return f'<ul class="legend">{items}</ul>'


def _mark(mark: str | tuple[str, str]) -> str:
    if isinstance(mark, tuple):
        return f'<span style="color:{mark[1]}">{mark[0]}</span>'
    if mark in ("solid", "dashed", "dotted"):
        return f'<i class="{mark}"></i>'
    return f'<i style="background:{mark}"></i>'


def definitions(entries: Mapping[str, str]) -> str:
    """A list of words and their meanings."""
    lines = "\n".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in entries.items())
    return f"<dl>\n{lines}\n</dl>"


def _inside_script(text: str) -> str:
    return text.replace("</", "<\\/")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "none" if value is None else str(value)
