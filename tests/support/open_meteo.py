"""The weather stand-in for tests: served from a thread, on a clock that tests turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import uvicorn

from local_stack.open_meteo.server import OpenMeteoStandIn


class TurnedClock:
    """Time that passes only when somebody waits: 2026-11-22 06:00:30 UTC at first."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Go back to the beginning."""
        self.time = datetime(2026, 11, 22, 6, 0, 30, tzinfo=UTC)
        self.slept = timedelta(0)

    def now(self) -> datetime:
        """The present time."""
        return self.time

    def timestamp(self) -> float:
        """The present time as epoch seconds."""
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)
        self.slept += timedelta(seconds=seconds)

    def next_day(self) -> None:
        """Go on to the same time tomorrow."""
        self.time += timedelta(days=1)


@contextmanager
def serve(stand_in: OpenMeteoStandIn) -> Iterator[str]:
    """Serve a stand-in on a free port and give its address."""
    server = uvicorn.Server(uvicorn.Config(stand_in.app(), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the stand-in did not start")
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
