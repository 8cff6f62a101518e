import json

import polars as pl
from pages import unpack

from xorjax.results import embedded


def test_texts_come_back_whole():
    texts = ["python train.py seed=1", None, "", "a-b", "python train.py seed=1", "π → -", " two  blanks "]
    assert unpack(embedded.text(pl.Series(texts))) == texts


def test_what_commands_share_is_held_once():
    commands = [
        f"python scripts/train.py +experiment=lenet_sweep seed={i % 10} n={i // 10}" for i in range(1000)
    ]
    packed = embedded.text(pl.Series(commands))
    assert unpack(packed) == commands
    assert len(json.dumps(packed, separators=(",", ":"))) < 0.4 * len(json.dumps(commands))


def test_numbers_are_rounded_what_is_none_is_null_and_one_value_is_held_once():
    table = pl.DataFrame({"bits": [0.123456, None, float("nan")], "rate": [0.95, 0.9, 0.8], "n": [7, 7, 7]})
    packed = embedded.columns(table, {"bits": 4, "rate": 0, "n": 0})
    assert packed["bits"] == {"digits": 4, "values": [0.1235, None, None]}
    assert packed["rate"]["values"] == [0.95, 0.9, 0.8]
    assert packed["n"] == {"digits": 0, "same": 7, "n": 3}
