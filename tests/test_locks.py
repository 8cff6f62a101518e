import errno
import fcntl
import subprocess
import sys
import threading

import pytest

from xorjax.locks import Locked, try_for, wait_for


def test_a_lock_is_one_processs_and_the_refused_is_told_whose(tmp_path):
    file = tmp_path / "deep" / "lock"
    with try_for(file), pytest.raises(Locked, match=r"process \d+ on "), try_for(file):
        pass
    with try_for(file):
        pass


def test_one_waits_for_the_other(tmp_path):
    order = []

    def second():
        with wait_for(tmp_path / "lock"):
            order.append("second")

    with wait_for(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_ends_with_its_process(tmp_path):
    hold = """if True:
        import pathlib, sys, time
        from xorjax.locks import try_for
        with try_for(pathlib.Path(sys.argv[1])):
            print("held", flush=True)
            time.sleep(60)
    """
    holder = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match=f"process {holder.pid} "), try_for(tmp_path / "lock"):
            pass
        holder.kill()
        holder.wait()
        with try_for(tmp_path / "lock"):
            pass


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
    """One that only pretends would keep a stage claimed for ever after a kill."""

    def none(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(OSError, match=r"no locks \(flock\)") as error, wait_for(tmp_path / "lock"):
        pass
    assert error.value.errno == errno.ENOLCK
    assert error.value.filename == str(tmp_path / "lock")
