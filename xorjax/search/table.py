"""The front of a search as a table."""

from rich.table import Table

from xorjax.search.study import Finished, Study


def front_table(study: Study) -> Table:
    """The trials that no other beats in both, fewest bits first."""
    front = study.front()
    table = Table(title=f"Front of {study.n_trials} trials", title_justify="left")
    table.add_column("trial", justify="right")
    for key in study.axes:
        table.add_column(key.lstrip("+"), justify="right")
    for column in ("bits per weight", "validation %", "test %"):
        table.add_column(column, justify="right")
    for finished in front:
        table.add_row(*_cells(finished))
    return table


def _cells(finished: Finished) -> list[str]:
    trial, result = finished.trial, finished.result
    figures = (
        f"{result.bits_per_weight:.4f}",
        f"{result.validation_accuracy:.2%}",
        f"{result.test_accuracy:.2%}",
    )
    return [str(trial.number + 1), *trial.settings.values(), *(figure.rstrip("%") for figure in figures)]
