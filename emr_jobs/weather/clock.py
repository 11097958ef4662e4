"""Time as the extract sees it: one object to read it and to wait, so that tests can turn it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

_BUSY_MARKER = Path("/emr/metricscollector/isbusy")
"""On an EMR primary node: a cluster whose marker was touched of late is not idle."""

_TOUCH_SECONDS = 60.0


class Clock(Protocol):
    """Reads the time and waits."""

    def now(self) -> datetime:
        """The present time, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock. While it waits it keeps an EMR cluster from being taken for idle."""

    def now(self) -> datetime:
        """The present time, aware, UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait, touching EMR's busy marker every minute where there is one."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if _BUSY_MARKER.parent.is_dir():
                _BUSY_MARKER.touch()
            time.sleep(min(left, _TOUCH_SECONDS))


def today(clock: Clock) -> date:
    """The current date, UTC."""
    return clock.now().date()
