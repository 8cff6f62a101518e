import os

import pytest

from xorjax.dashboard.files import Listing, Tail, parse


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (['+{"a": 1}\n{"a": 2}\n', "+", '+{"a": 3}\n'], [[1, 2], [], [3]]),
        (['+{"a": 1}\n{"a": ', "+2}\n"], [[1], [2]]),  # a line without its end is left for later
        (['+{"a": 1, "name": "x{"a": 2}\n'], [[2]]),  # torn, and appended to
        (['+{"a": 1}\n', '/{"b": 1}\n{"a": 2}\n', "-", "-"], [[1], "void", [None, 2], "void", [], []]),
        (['+{"a": 1}\n', '={"b": 1}\n{"a": 2}\n'], [[1], "void", [None, 2]]),  # the same inode, longer
        (['+{"a": 1}\n{"a": 2}\n', '={"a": 1}\n'], [[1, 2], "void", [1]]),  # shortened
    ],
)
def test_each_line_is_read_once_whatever_becomes_of_the_file(tmp_path, steps, expected):
    """Steps: + appends, / replaces the file, = writes it in place, - deletes it."""
    path, told = tmp_path / "log", []
    tail = Tail(path)
    assert tail.read() == (False, [])
    for how, *rest in steps:
        place = tmp_path / "new" if how == "/" else path
        if how == "-":
            place.unlink(missing_ok=True)
        else:
            with place.open("a" if how == "+" else "w") as file:
                file.write("".join(rest))
        if how == "/":
            place.replace(path)
        void, new = tail.read()
        told += (["void"] if void else []) + [[value.get("a") for value in new]]
    assert told == expected


@pytest.mark.parametrize("line", [b"", b"1", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_lines_that_are_no_objects_are_passed_over(line):
    assert parse(line) is None
    assert parse(b'{"loss": NaN, "rate": Infinity}') == {"loss": None, "rate": None}


def test_a_listing_follows_its_directory_even_within_a_tick_of_its_clock(tmp_path):
    runs = tmp_path / "runs"
    listing = Listing(runs)
    for change, names in (
        (lambda: None, set()),
        (runs.mkdir, set()),
        ((runs / "a").touch, {"a"}),
        ((runs / "b").touch, {"a", "b"}),
        (lambda: (runs / "a").rename(runs / "c"), {"b", "c"}),
        ((runs / "b").unlink, {"c"}),
        (lambda: ((runs / "c").unlink(), runs.rmdir()), set()),
    ):
        before = runs.stat().st_mtime_ns if runs.exists() else None
        change()
        if before is not None and runs.exists():
            os.utime(runs, ns=(before, before))
        listing.look()
        assert listing.names == names
