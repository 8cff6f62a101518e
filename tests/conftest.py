"""Strict dtypes and ranks everywhere; hypothesis without deadlines, since no test may depend on the clock."""

import shutil
import subprocess

import jax
import pytest
from hypothesis import HealthCheck, settings

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

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
def cluster():
    """The address of a Ray head with two more nodes, each of one core, all processes here; and the two's raylets."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster.address, [node.all_processes["raylet"][0].process.pid for node in nodes]
    cluster.shutdown()
