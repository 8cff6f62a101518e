"""Draw the studies of the codec's limits on random planes: `python scripts/figures.py`, about 3 minutes.

The pictures docs/figures/codec_*.png, which are committed, and an interactive page that opens from disk,
codec_limits.html in runs/figures (5 MB, not committed). Then a table of the fewest value bits that were found.
"""

import argparse
import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from statistics import fmean

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from PIL import Image
from rich.progress import track

from xorjax.results.limits import write_page
from xorjax.results.palette import CYCLE
from xorjax.studies.limits import CARE, FLOOR, PAPER, PATCH_FORMATS, STUDIES, Panel, best
from xorjax.studies.synthetic import Measured, sweep

ROOT = Path(__file__).parents[1]
PRUNE_RATES = (0.6, 0.8, 0.9, 0.95)
# With more care bits in a slice the search for the fewest patches takes too long.
LARGEST_FILLS = {12: 1.5, 20: 1.5, 40: 1.3, 60: 1.25}
FILLS = {
    n_in: [i / 20 for i in range(10, round(20 * largest) + 1)] for n_in, largest in LARGEST_FILLS.items()
}
HEIGHTS = {"best_n_out": 4.0}  # inches of a row of panels; 2.7 elsewhere
STYLES = {"solid": "-", "dashed": "--", "dotted": ":", "points": "o"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures", help="of the pictures")
    parser.add_argument("--page", type=Path, default=ROOT / "runs" / "figures", help="the page's folder")
    parser.add_argument("--weights", type=int, default=1_000_000, help="of a plane")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the fewest value bits there")
    arguments = parser.parse_args()
    for folder in (arguments.out, arguments.page):
        folder.mkdir(parents=True, exist_ok=True)
    seeds = range(arguments.seeds)
    runs = sweep(arguments.weights, PRUNE_RATES, FILLS, PATCH_FORMATS, seeds)
    total = len(PRUNE_RATES) * len(seeds) * sum(map(len, FILLS.values())) * len(PATCH_FORMATS)
    measured = list(track(runs, description="encoding", total=total))
    studies = {name: study.panels(measured) for name, study in STUDIES.items()}
    for name, panels in studies.items():
        draw(panels, arguments.out / f"codec_{name}.png", STUDIES[name].n_columns, HEIGHTS.get(name, 2.7))
    about = f"Planes of {arguments.weights} weights, {arguments.seeds} seeds; lines join means."
    write_page(studies, arguments.page / "codec_limits.html", about)
    found = print_best(measured)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def draw(panels: list[Panel], path: Path, n_columns: int, height: float) -> None:
    """One picture: panels in rows, one legend for all, colours first and styles after."""
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(4 * n_columns, height * n_rows), layout="constrained", squeeze=False
    )
    lines = [line for panel in panels for line in panel.lines]
    groups = dict.fromkeys(line.group for line in lines if line.group is not None)
    colours = {group: CYCLE[i % len(CYCLE)] for i, group in enumerate(groups)} | {None: "black"}
    for axis, panel in zip(axes.flat, panels, strict=True):
        for line in panel.lines:
            axis.plot(line.x, line.y, STYLES[line.style], color=colours[line.group], lw=1.3, ms=4)
        axis.set_title(panel.title, fontsize=10)
        axis.set(xlabel=panel.x_title, ylabel=panel.y_title, ylim=panel.y_range)
        axis.spines[["top", "right"]].set_visible(False)
    handles = list(_legend(colours, {line.kind: line.style for line in lines}))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(picture := BytesIO(), dpi=100)
    plt.close(figure)
    # Lines need few colours, and a file of few colours is small.
    Image.open(picture).convert("RGB").quantize(64).save(path, optimize=True)


def _legend(colours: dict[str | None, str], kinds: dict[str, str]) -> Iterable[Line2D]:
    for group, colour in colours.items():
        if group is not None:
            yield Line2D([], [], color=colour, lw=3, label=group)
    for kind, style in kinds.items():
        yield Line2D(
            [],
            [],
            color="grey",
            ls="" if style == "points" else STYLES[style],
            marker="o" if style == "points" else "",
            ms=4,
            label=kind,
        )


def print_best(measured: list[Measured]) -> list[dict]:
    """The fewest value bits for each prune rate and n_in."""
    rows = []
    schemes = (PAPER, CARE, FLOOR)
    print(
        "| S | n_in |" + "".join(f" {method}, {patch_format} (n_out) |" for method, patch_format in schemes)
    )
    print("|---|---|" + "---|" * len(schemes))
    for rate in PRUNE_RATES:
        for n_in in FILLS:
            own = [m for m in measured if (m.prune_rate, m.n_in) == (rate, n_in)]
            cells = []
            for method, patch_format in schemes:
                found = best(own, method, patch_format)
                bits, n_out = fmean(m.value_bits(patch_format) for m in found), found[0].n_out
                cells.append(f" {bits:.4f} ({n_out}) |")
                settings = {"prune_rate": rate, "n_in": n_in, "method": method, "patch_format": patch_format}
                rows.append({**settings, "value_bits": bits, "n_out": n_out})
            print(f"| {rate:g} | {n_in} |" + "".join(cells))
    return rows


if __name__ == "__main__":
    main()
