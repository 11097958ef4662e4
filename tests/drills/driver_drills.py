"""Drills of the Spark driver: killed at the commits of an ingest, and run under a clock that is wrong.

The emulated Glue holds the request of a commit on its way in (not done) or out (done, and nobody knows);
meanwhile the driver is killed. So the point is exact, and the job has no hook for it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil

from config.tables import QUARANTINE, SILVER
from local_stack.supervisor import StackError
from tests.drills.stack import DrillStack
from tests.drills.stream_drills import EVENTS

HOLD_SECONDS = 300.0

CREATE_BRANCH, PUBLISH = 0, 2
"""Of the commits by which a table is published: the first, and the last."""

CLOCK_AHEAD = timedelta(days=30)

CLOCK = f"""
import datetime, time
_datetime, _time = datetime.datetime, time.time

class _Kind(type):
    def __instancecheck__(cls, one):
        return isinstance(one, _datetime)

class _Ahead(_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

time.time = lambda: _time() + {CLOCK_AHEAD.total_seconds()}
datetime.datetime = _Ahead
"""


@dataclass(frozen=True)
class CommitPoint:
    """A commit of an ingest to a table, held before or (``is_done``) after Glue has carried it out."""

    table: str
    commit: int
    is_done: bool = False

    @property
    def order(self) -> dict[str, object]:
        """The fault that holds it."""
        return {
            "service": "glue",
            "operation": "UpdateTable",
            "content": f'"Name": "{self.table}"',
            "skip": self.commit,
            "hold_seconds": HOLD_SECONDS,
            "is_carried_out": self.is_done,
        }


def killed_at(what: str, *points: CommitPoint) -> Callable[[DrillStack], float]:
    """A drill in which each attempt of the step is killed at the next point, until there is none left."""

    def drill(stack: DrillStack) -> float:
        # Without duplicates: silver is then written in one commit to its branch.
        stack.send(EVENTS, "--corrupt", "0.02")
        run_id = stack.trigger()
        for point in points:
            _kill_at(stack, point)
        killed = time.monotonic()
        stack.require_green(run_id)
        if stack.retries_of(run_id) != len(points):
            raise StackError(f"the step was tried {stack.retries_of(run_id)} times more")
        return time.monotonic() - killed

    drill.__doc__ = f"Spark driver killed (SIGKILL) {what}."
    return drill


def _kill_at(stack: DrillStack, point: CommitPoint) -> None:
    before = stack.published(point.table)
    with stack.faults(point.order):
        stack.wait_until(lambda: stack.requests_held() > 0, f"an ingest comes to {point}")
        drivers = stack.step_processes("org.apache.spark.deploy.SparkSubmit", "ingest_events.py")
        if not drivers:
            raise StackError("there is no driver to kill")
        for process in drivers:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(drivers, timeout=10)
        has_moved = stack.published(point.table) != before
        if has_moved != point.is_done:
            raise StackError(f"{point.table} was {'' if has_moved else 'not '}published at {point}")


spark_driver = killed_at(
    "before quarantine is published, then before silver is",
    CommitPoint(QUARANTINE.name, PUBLISH),
    CommitPoint(SILVER.name, PUBLISH),
)

spark_driver_late = killed_at(
    "when quarantine is published, then when silver is",
    CommitPoint(SILVER.name, CREATE_BRANCH),
    CommitPoint(SILVER.name, PUBLISH, is_done=True),
)


def clock_jump(stack: DrillStack) -> float:
    """The clock of the cluster's Python is 30 days ahead for one run; the next takes in what came since."""
    stack.send(EVENTS)
    run_id = stack.trigger()
    node = stack.wait_for_node("python/lib/python3.*/site-packages/pip.pth")
    (site_packages,) = node.glob("python/lib/python3.*/site-packages")
    (site_packages / "clock_ahead.py").write_text(CLOCK)
    (site_packages / "clock_ahead.pth").write_text("import clock_ahead\n")
    stack.require_green(run_id)
    ((latest,),) = stack.query(f"SELECT max(ingested_at) FROM {SILVER.name}")
    if not isinstance(latest, datetime) or latest.replace(tzinfo=UTC) < datetime.now(UTC) + CLOCK_AHEAD / 2:
        raise StackError(f"the clock has not jumped: {latest}")
    jumped = time.monotonic()
    stack.send(EVENTS)
    stack.require_green(stack.trigger())
    return time.monotonic() - jumped
