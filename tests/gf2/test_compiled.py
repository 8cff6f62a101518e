import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core import config
from numba.core.caching import IndexDataCacheFile

from xorjax.gf2 import compiled
from xorjax.gf2.compiled import compile_parallel

ENCODE = """
import numpy as np
from xorjax import XorNetwork, encode
ones = np.ones(200, bool)
print(encode(ones, ones, XorNetwork.random(n_in=20, n_out=100, seed=0), method="greedy").nbits)
"""


def doubled(x):
    out = np.empty_like(x)
    for i in numba.prange(len(x)):
        out[i] = 2 * x[i]
    return out


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    # Compiled functions are kept under a name that grows.
    monkeypatch.setattr(doubled, "__qualname__", doubled.__qualname__)
    return tmp_path


def files(cache: Path, kind: str) -> list[Path]:
    return list(cache.rglob(f"*.{kind}"))


def twice_one() -> int:
    doubled.__qualname__ = "doubled"
    return compile_parallel(doubled)(np.ones(3, int)).sum()


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("size", [0, 30])
def test_damaged_compiled_code_is_made_again(cache, kind, size):
    assert twice_one() == 6
    (damaged,) = files(cache, kind)
    os.truncate(damaged, size)
    with pytest.warns(UserWarning, match="compiling again: compiled code in .* cannot be read"):
        assert twice_one() == 6
    assert twice_one() == 6  # and kept: no warning


def test_what_cannot_be_kept_is_compiled_all_the_same(cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    with pytest.warns(UserWarning, match="cannot be written .*No space left"):
        assert twice_one() == 6
    assert not files(cache, "nbi")


def encode(code: str = ENCODE, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


def test_without_compilation_there_is_one_line_that_says_so():
    refused = encode(NUMBA_DISABLE_JIT="1")
    assert refused.stderr.splitlines()[-1].endswith(
        "NUMBA_DISABLE_JIT is set, and the encoder is compiled code: unset it"
    )


# Of a matrix that is given nobody asks galois for its rank: numba itself is imported first.
GIVEN = ENCODE.replace(
    "XorNetwork.random(n_in=20, n_out=100, seed=0)", "XorNetwork(np.ones((100, 2), np.uint8))"
)


@pytest.mark.parametrize(
    ("code", "variable"),
    [
        (ENCODE, "NUMBA_NUM_THREADS=0"),
        (GIVEN, "NUMBA_NUM_THREADS=-3"),
        (GIVEN.replace("greedy", "minimum"), "NUMBA_NUM_THREADS=0"),
        (
            "from xorjax import XorNetwork; XorNetwork.random(4, 9).as_galois()",
            "NUMBA_CACHE_LOCATOR_CLASSES=bogus",
        ),
    ],
)
def test_a_variable_that_numba_does_not_take_is_named(code, variable):
    environment = os.environ | dict([variable.split("=")])
    refused = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    last = refused.stderr.splitlines()[-1]
    assert last.startswith("xorjax.gf2.compiled.NotCompiled: ")
    assert f" with {variable}: " in last


FORKED = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import numpy as np
from xorjax import XorNetwork, encode

rng, net = np.random.default_rng(0), XorNetwork.random(n_in=12, n_out=60, seed=0)
bits, care = rng.random((2, 3000)) < 0.3

def coded(encoder):
    return encode(bits, care, net, method="greedy", encoder=encoder).streams

def pool(task, *arguments):
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as workers:
        return list(workers.map(task, *arguments))

def forked_again(_):
    return pool(coded, ["numba"])[0]

streams = coded("numba")
for found in pool(coded, ["numba", "galois", "numba"]) + pool(forked_again, [0]):
    assert found.keys() == streams.keys()
    assert all(np.array_equal(found[name], stream) for name, stream in streams.items())
assert coded("numba").keys() == streams.keys()
print("the same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_processes_forked_after_an_encode_encode(layer):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        env=os.environ | {"NUMBA_THREADING_LAYER": layer},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("the same\n", "")


COMPILING = """
import os, signal, threading, time
import xorjax.gf2.compiled
from numba.core.compiler_lock import global_compiler_lock

def compile():
    with global_compiler_lock:
        begun.set()
        time.sleep(0.2)

begun = threading.Event()
threading.Thread(target=compile).start()
begun.wait()
child = os.fork()
if not child:
    signal.alarm(20)
    with global_compiler_lock:
        os._exit(0)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_process_forked_while_another_thread_compiles_compiles():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", COMPILING]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


THREADS = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from xorjax import XorNetwork, encode
net, bits = XorNetwork.random(n_in=20, n_out=100, seed=0), np.arange(200_000) % 3 == 0
one = encode(bits, bits, net, method="greedy")
with ThreadPoolExecutor(4) as threads:
    found = threads.map(lambda _: encode(bits, bits, net, method="greedy"), range(8))
    print(all((other.codes == one.codes).all() for other in found))
"""


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("workqueue", ("True\n", "")),
        ("bogus", ("", "numba has no threads with NUMBA_THREADING_LAYER=bogus: ")),
    ],
)
def test_threads_encode_at_once_on_any_layer(layer, said):
    """numba's own layer ends a process that calls it from two threads."""
    done = subprocess.run(
        [sys.executable, "-c", THREADS],
        env=os.environ | {"NUMBA_THREADING_LAYER": layer},
        capture_output=True,
        text=True,
    )
    assert done.stdout == said[0]
    assert said[1] in done.stderr.strip().rpartition("\n")[2]


@pytest.mark.slow
def test_damage_in_the_compiled_code_of_galois(tmp_path):
    code = ENCODE.replace('method="greedy"', 'method="greedy", encoder="galois"')
    whole = encode(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert (whole.returncode, whole.stderr) == (0, "")
    for damaged in files(tmp_path, "nbi"):
        os.truncate(damaged, 0)
    again = encode(code, NUMBA_CACHE_DIR=str(tmp_path), PYTHONOPTIMIZE="1")
    assert (again.returncode, again.stdout) == (0, whole.stdout)
    assert "of galois in " in again.stderr
    assert str(tmp_path) in again.stderr


def test_what_other_sources_were_compiled_to_is_not_taken(monkeypatch, tmp_path):
    """numba itself looks at the function's own file alone: without the hash the last answer would be 1, too."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    answers = []
    for sources, value in ((b"old", 1), (b"old", 2), (b"new", 2)):

        def fill(filled):
            for i in numba.prange(len(filled)):
                filled[i] = VALUE

        monkeypatch.setattr(compiled, "_SOURCES", hashlib.sha256(sources))
        monkeypatch.setattr(sys.modules[__name__], "VALUE", value)
        filled = np.zeros(1, dtype=np.int64)
        compiled.compile_parallel(fill)(filled)
        answers += filled.tolist()
    assert answers == [1, 1, 2]


VALUE = 0
