"""The front of a search as a table."""

from rich.table import Table

from xorjax.search.study import Study


def front_table(study: Study) -> Table:
    """The trials that no other beats in both, fewest bits first."""
    table = Table(title=f"Front of {study.n_trials} trials", title_justify="left")
    table.add_column("trial", justify="right")
    for key in study.axes:
        table.add_column(key.lstrip("+"), justify="right")
    for column in ("bits per weight", f"validation {study.metric.name}", f"test {study.metric.name}"):
        table.add_column(column, justify="right")
    for finished in study.front():
        trial, result = finished.trial, finished.result
        metrics = map(study.metric.text, (result.validation_metric, result.test_metric))
        bits = f"{result.bits_per_weight:.4f}"
        table.add_row(str(trial.number + 1), *trial.settings.values(), bits, *metrics)
    return table
