"""The commands of `xorjax`, one a file: `add_to` states its arguments, `run` does it, `show` prints the result.

Nothing heavy is imported before a command runs.
"""

from xorjax.commands import compress, dashboard, decompress, encode, evaluate, inspect, verify

COMMANDS = (compress, decompress, inspect, verify, encode, evaluate, dashboard)

__all__ = ["COMMANDS"]
