"""Stands in for the pipeline: prints what it is called with. It fails for the seed in STUB_FAILS, as STUB_ERROR says,
and waits if there is STUB_WAITS.
"""

import gc
import os
import signal
import time
from types import SimpleNamespace


def run(jobs, command, engine=None):
    if os.environ.get("STUB_FAILS") == "start":
        raise PermissionError(13, "Permission denied", "runs")
    print("run", len(jobs), command, "no engine" if engine is None else engine.n_jobs, sep="|", flush=True)
    if "garbage" in os.environ.get("STUB_WAITS", ""):
        gc.callbacks.append(_interrupt)
        gc.collect()
    if "STUB_WAITS" in os.environ:
        time.sleep(600)
    return [_point(config, command) for config, command in jobs]


def _interrupt(*_):
    gc.callbacks.remove(_interrupt)
    signal.raise_signal(signal.SIGINT)


def _point(config, command):
    if os.environ.get("STUB_FAILS") == str(config.seed):
        return SimpleNamespace(status="failed", ours=os.environ["STUB_ERROR"] == "bug")
    print("point", config.prune.rate, config.code.n_in, config.seed, command, sep="|", flush=True)
    return SimpleNamespace(status="ok", ours=False)
