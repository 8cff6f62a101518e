import os
import subprocess
import sys

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


@pytest.mark.parametrize("name", ["JAX_DEBUG_NANS", "JAX_NUM_CPU_DEVICES", "JAX_DEFAULT_MATMUL_PRECISION"])
def test_a_variable_that_jax_does_not_take_is_named(name):
    code = "from xorjax.config.errors import report\ntry: import jax\nexcept Exception as e: exit(report(e))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {name: "x"}, capture_output=True, text=True
    )
    told = f"error: the variable {name} is 'x', which JAX does not take\n"
    assert (done.returncode, done.stderr) == (USER, told)


def test_a_bug_shows_its_traceback(capsys):
    with pytest.raises(LosslessError) as raised:
        raise LosslessError("fc1 decodes to something else")
    assert report(raised.value) == INTERNAL
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert told.endswith("LosslessError: fc1 decodes to something else\n")
