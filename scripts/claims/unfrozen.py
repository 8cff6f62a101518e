"""Claims of docs/results.md on the two sweeps in which all layers are trained along."""

import polars as pl

from xorjax.results.tables import per_point

from .claim import Claim, Command, Found, Results
from .documents import Table
from .sweeps import RATES, RESULTS, SWEEP, deviation, encoded, interval, losses, mean, same_mask, sweep

LENET300 = sweep("lenet300_sweep", 4, "+experiment=lenet300_sweep")
JOINT = sweep("lenet_joint", 23, "+experiment=lenet_joint")


def table_of(command: Command, *n_ins: int):
    """What finds the rows of a table with a line of value bits for each n_in: all encoded layers together."""

    def find(results: Results) -> Found:
        rows = results.table(command)
        table = per_point(rows).with_columns(value_bits=pl.col.code_bits + pl.col.patch_bits)
        xor, pruned = encoded(table), encoded(rows)

        def line(source: pl.DataFrame, column: str, scale: float = 1, **settings) -> list[float]:
            return [scale * mean(source, column, prune_rate=rate, **settings) for rate in RATES]

        return {
            "test accuracy, pruned, %": [
                100 * mean(xor, "dense_metric"),
                *line(pruned, "pruned_metric", 100),
            ],
            "test accuracy, binarized, mean %": line(xor, "test_metric", 100),
            "sample standard deviation": [
                100 * deviation(xor, "dense_metric"),
                *(100 * deviation(xor, "test_metric", prune_rate=rate) for rate in RATES),
            ],
            "loss against the reference, percentage points": [
                number for rate in RATES for number in interval(losses(pruned, prune_rate=rate))
            ],
            **{f"value bits, n_in={n_in}": line(xor, "value_bits", n_in=n_in) for n_in in n_ins},
            "index bits": line(xor, "index_bits"),
            "total, best XOR point": line(xor, "bits_per_weight", n_in=max(n_ins)),
            "total, the same mask + packed signs": line(same_mask(table), "bits_per_weight"),
        }

    return find


CLAIMS = (
    Claim("lenet300", RESULTS, Table("lenet300"), (LENET300,), table_of(LENET300, 20, 64)),
    Claim("joint", RESULTS, Table("joint"), (SWEEP, JOINT), table_of(JOINT, 20)),
)
