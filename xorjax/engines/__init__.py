"""Where tasks run: in this process, in worker processes of this machine (loky), or on a cluster (Ray).

The three are told apart only where one is chosen; `submit` gives a `concurrent.futures.Future` whichever it is. A
task is a function at the top of a module and arguments that pickle; what it raises comes back as itself.
"""

from xorjax.engines.base import Engine, EngineError, Kept, WorkerLost, worker_environment
from xorjax.engines.processes import Processes
from xorjax.engines.ray_cluster import Ray
from xorjax.engines.serial import Serial

__all__ = [
    "Engine",
    "EngineError",
    "Kept",
    "Processes",
    "Ray",
    "Serial",
    "WorkerLost",
    "worker_environment",
]
