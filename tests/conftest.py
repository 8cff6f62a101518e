"""Strict dtypes and ranks everywhere; hypothesis without deadlines, since no test may depend on the clock."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import pytest
from hypothesis import HealthCheck, settings

from xorjax import locks

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Commands are told as without uv, whoever started the tests.
os.environ.pop("UV_RUN_RECURSION_DEPTH", None)

# A shell has what it starts in the background ignore Ctrl-C, which tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB, and a function that mounts it anew with other options."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(*options: str) -> bool:
        run = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(disk)], capture_output=True
        )
        return run.returncode == 0

    if shutil.which("mount") is None or not mount("size=3m"):
        pytest.skip("no right to mount a disk")
    yield disk, lambda *options: mount("remount", *options)
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def only_ray():
    """No other test has a Ray cluster: one that looks for the machine's would find it."""
    with locks.wait_for(Path(tempfile.gettempdir()) / "xorjax-tests-ray.lock"):
        yield


CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
cluster.wait_for_nodes()
pids = [node.all_processes["raylet"][0].process.pid for node in nodes]
print(json.dumps([cluster.address, pids]), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def cluster(only_ray):
    """The address of a Ray head with two more nodes, each of one core, all processes here; and the two's raylets."""
    # Not in this process: Ray forks, and jax has threads here.
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        address, raylets = json.loads(process.stdout.readline())
        yield address, raylets
        process.communicate()
