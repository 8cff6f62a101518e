"""Stands in for the pipeline: prints what it is called with; fails for the seed in STUB_FAILS, as STUB_ERROR says."""

import os

from xorjax.config.validate import ConfigError


def start(configs, command):
    if os.environ.get("STUB_FAILS") == "start":
        raise PermissionError(13, "Permission denied", "runs")
    print("start", len(configs), command, sep="|", flush=True)


def point(config, command):
    if os.environ.get("STUB_FAILS") == str(config.seed):
        raise ConfigError(["no such thing"]) if os.environ["STUB_ERROR"] == "user" else RuntimeError("a bug")
    print("point", config.prune.rate, config.xor.n_in, config.seed, command, sep="|", flush=True)


def finish():
    print("finish", flush=True)
