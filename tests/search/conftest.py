"""SQLite without its flushes to the disk, which are most of what these tests would wait for."""

import pytest
from sqlalchemy import Engine, event


@pytest.fixture(scope="session", autouse=True)
def _no_flush():
    def connected(connection, record):
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", connected)
    yield
    event.remove(Engine, "connect", connected)
