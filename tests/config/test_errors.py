import pytest

from xorjax.config.errors import INTERNAL, USER, ConfigError, report
from xorjax.errors import UserError
from xorjax.pipeline.lossless import LosslessError
from xorjax.pipeline.plan_file import PlanError
from xorjax.results.rows import RowError
from xorjax.search.study import DatabaseError


class OwnError(UserError, KeyError):
    """Of a module that is none of ours."""


def test_whose_fault_an_error_is_its_class_says(capsys):
    for error in (LosslessError("a bug"), RowError("a bug"), ValueError("a bug")):
        assert report(error) == INTERNAL
        assert capsys.readouterr().err.endswith("Error: a bug\n")
    for error in (ConfigError(["wrong"]), PlanError("wrong"), DatabaseError("wrong"), OSError("wrong")):
        assert report(error) == USER
        assert capsys.readouterr().err == "error: wrong\n"
    assert report(OwnError("wrong")) == USER


def test_a_bug_shows_its_traceback(capsys):
    with pytest.raises(LosslessError) as raised:
        raise LosslessError("fc1 decodes to something else")
    assert report(raised.value) == INTERNAL
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert told.endswith("LosslessError: fc1 decodes to something else\n")
