"""Our programs with streams that are closed, full or know few characters, with signals, and with empty variables."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
ZOO = ROOT / "zoo" / "lenet5-mnist-S0.95.safetensors"
XORJAX = [sys.executable, "-m", "xorjax.cli"]

PROGRAM = """
import sys
from xorjax.program import run_program

def work():
    for _ in range(3):
        print("≥ 0.9 bits ±", flush=True)
    print("done", file=sys.stderr)
    return int(sys.argv[1])

sys.exit(run_program(work, "program: error"))
"""


def run(command, redirected="", **variables):
    line = f"exec {shlex.join(map(str, command))} {redirected}"
    return subprocess.run(
        ["sh", "-c", line], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True
    )


def program(code=0, redirected="", **variables):
    return run([sys.executable, "-c", PROGRAM, code], redirected, **variables)


@pytest.mark.parametrize("code", [0, 2])
@pytest.mark.parametrize(
    ("redirected", "reason"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")]
)
def test_work_is_done_whatever_standard_output_is(redirected, reason, code):
    done = program(code, redirected)
    told = f"program: error: standard output: {reason}\n" if code == 0 else ""
    assert (done.returncode, done.stderr) == (code or 1, f"done\n{told}")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"])
def test_the_other_streams_may_be_closed(redirected):
    assert program(0, redirected).returncode == 0


def test_characters_that_a_terminal_lacks_are_replaced():
    done = program(PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "? 0.9 bits ?\n" * 3)


def test_a_reader_that_goes_away_is_told_nothing():
    done = program(0, "| true")  # sh, not bash: the code is the reader's
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr


def test_closed_streams_are_nobodys_file(tmp_path):
    work = f"9 if open({str(tmp_path / 'file')!r}, 'w').fileno() < 3 else 8"
    code = f"import sys; from xorjax.program import run_program; sys.exit(run_program(lambda: {work}))"
    assert run([sys.executable, "-c", code], "<&- >&- 2>&-").returncode == 8


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (("--help",), ()),
        (("inspect", ZOO), ()),
        (("verify", ZOO), ()),
        (("decompress", ZOO, "{here}/out"), ("out",)),
    ],
)
def test_every_command_says_that_its_output_is_lost(tmp_path, arguments, left, options):
    arguments = [str(argument).format(here=tmp_path) for argument in arguments]
    done = run([*XORJAX, *arguments, *options], ">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "xorjax: error: standard output: No space left on device\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(left)


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("NUMBA_DISABLE_JIT=1", "NUMBA_DISABLE_JIT is set, and the encoder is compiled code: unset it"),
        ("JAX_PLATFORMS=bogus", "JAX finds nothing to compute on: Unable to initialize backend 'bogus'"),
    ],
)
def test_what_variables_do_not_allow_is_no_fault_of_the_file(tmp_path, variable, told):
    if variable.startswith("NUMBA"):
        np.save(tmp_path / "bits.npy", np.ones((30, 40), bool))
        bits = tmp_path / "bits.npy"
        arguments = ("encode", "--care", bits, "--bits", bits, tmp_path / "out")
    else:
        arguments = ("evaluate", ZOO)
    done = run([*XORJAX, *arguments], **dict([variable.split("=")]))
    assert done.returncode == 1
    assert done.stderr.startswith(f"xorjax: error: {told}")
    assert done.stderr.count("\n") == 1


SENT = """
import signal, sys
# Whoever runs the tests may ignore it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from xorjax import cli
from xorjax.container import tensors

def interrupted(*arguments):
    signal.raise_signal(signal.Signals[sys.argv[1]])

tensors.data_of = interrupted
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_no_temporary_file(tmp_path, sent):
    done = run([sys.executable, "-c", SENT, sent, "decompress", ZOO, tmp_path / "out"])
    assert (done.returncode, done.stderr) == (130, "xorjax: interrupted\n")
    assert not list(tmp_path.iterdir())


def test_under_nohup_a_lost_terminal_ends_nothing():
    code = f"""
import signal, sys
from xorjax import cli
from xorjax.commands import verify
signal.signal(signal.SIGHUP, signal.SIG_IGN)
before = verify.run
verify.run = lambda args: (signal.raise_signal(signal.SIGHUP), before(args))[1]
sys.exit(cli.main(["verify", {str(ZOO)!r}]))
"""
    assert run([sys.executable, "-c", code]).returncode == 0


def test_signals_are_the_callers_afterwards():
    from xorjax.program import interruptible

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)], sys.unraisablehook
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert before == (
        [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)],
        sys.unraisablehook,
    )


def test_an_empty_variable_is_as_one_that_is_not_set():
    code = "import os; from xorjax.program import run_program; run_program(lambda: 0); print(*map(os.getenv, NAMES))"
    names = ("XORJAX_RUNS", "XORJAX_DATA", "XORJAX_ROOT")
    done = run(
        [sys.executable, "-c", f"NAMES = {names}; {code}"], XORJAX_RUNS="", XORJAX_DATA="", XORJAX_ROOT="x"
    )
    assert done.stdout == "None None x\n"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_that_is_kept_is_not_mapped_anew():
    def faults(prepare: str) -> int:
        code = f"""
import resource
import numpy as np
from xorjax.program import keep_freed_memory
{prepare}
def fill():
    np.ones(8_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = fill()
for _ in range(10):
    last = fill()
print(last - first)
"""
        return int(
            subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        )

    assert 5 * faults("keep_freed_memory()") < faults("")
