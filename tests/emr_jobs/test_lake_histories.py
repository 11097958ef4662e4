"""Whatever happens to a lake: in the end all tables are what DuckDB makes of the bronze files alone.

A history delivers files (late, repeated, corrupt, in any order of their names) and runs jobs: undisturbed,
killed at some commit point, or with a rival in between; it compacts, expires, takes back, damages and
backfills. LAKE_HISTORIES says how many to try, LAKE_SEED repeats those of an earlier run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from config.tables import KPI_TABLES
from emr_jobs import backfill, ingest_events, roll_back
from emr_jobs.edge.kpis import update_all
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.errors import LakeError
from tests.emr_jobs.test_incremental import contents
from tests.emr_jobs.test_ingest import assert_true
from tests.support.event_truth import expected_tables
from tests.support.lake import NOON, Lake, event
from tests.support.silver import Silver

HISTORIES = int(os.environ.get("LAKE_HISTORIES", "10"))
STEPS = 6
A_DAY = 86_400
NOW = datetime(2026, 6, 2, 3, tzinfo=UTC)
EVENTS = "clickstream_events"
CLOSED_DAYS = ("--first-day", "2026-05-30", "--last-day", "2026-05-31")
"""Days of events that get no more files, by the hours of the jobs here."""

REFUSALS = (
    "never written to",
    "already",
    "expired",
    "is a rollback itself",
    "is a backfill",
    "was never published",
    "There is no table",
)
"""Why a rollback may be refused."""


class Killed(BaseException):
    """As a kill: nothing handles it."""


class History:
    """A lake, and everything that may happen to it."""

    def __init__(self, lake: Lake, random: Random) -> None:
        self.lake = lake
        self.random = random
        self.files = 0
        self.seconds = 0
        self.told: list[str] = []

    def take(self, step: str) -> None:
        """Take the step of this name, and remember it."""
        self.told.append(step)
        getattr(self, step.replace(" ", "_"))()

    def deliver(self) -> None:
        """One or two files in the open hours, named so that names do not follow the order of arrival."""
        for _ in range(self.random.randint(1, 2)):
            self.files += 1
            hour = self.random.randint(16, 23)
            name = f"{self.random.randint(10, 99)}-{self.files}"
            rows = [self._some_event() for _ in range(self.random.randint(1, 6))]
            self.lake.deliver(f"dt=2026-06-01/hour={hour:02d}/{name}.parquet", *rows)

    def _some_event(self) -> dict[str, Any]:
        random = self.random
        return event(
            uuid=f"e{random.randrange(8)}",
            timestamp=NOON - A_DAY * random.randrange(3),
            sensor_id=random.randrange(3),
            temperature=random.choice([None, -0.0, 20.5]),
            humidity=random.choice([40.0, 40.0, 40.0, 101.0]),
            status=random.choice(["active", "active", "faulty"]),
        )

    def ingest(self) -> None:
        """Run the first job, each time a second later."""
        self.seconds += 1
        arguments = [*self.lake.arguments(EVENTS), "--open-hours", "8"]
        options = ingest_events.build_parser().parse_args(arguments)
        ingest_events.run(self.lake.spark, options, NOW + timedelta(seconds=self.seconds))

    def count(self) -> None:
        """Run the KPI jobs."""
        update_all(self.lake.spark, EVENTS, self.lake.database, str(self.lake.warehouse))

    def kill_an_ingest(self) -> None:
        """It dies at one of its commit points, if it comes so far."""
        self._kill(self.ingest, self.random.randint(1, 14))

    def kill_a_count(self) -> None:
        """The KPI jobs die at one of theirs."""
        self._kill(self.count, self.random.randint(1, 20))

    def race_an_ingest(self) -> None:
        """Another ingest runs from start to end at one of its commit points."""
        with self._at_point(self.random.randint(1, 8), lambda point: self._undisturbed(self.ingest)):
            self.ingest()

    def compact(self) -> None:
        """Join the files of the events."""
        if self._is_written:
            Silver(self.lake).compact()

    def expire(self) -> None:
        """Drop all snapshots of the events but the last."""
        if self._is_written:
            Silver(self.lake).expire_all()

    def roll_back(self) -> None:
        """Take back the last commits to the events, if they can be; the job may die of it."""
        snapshots = self.lake.snapshots(EVENTS) if self._is_written else []
        if len(snapshots) > 1:
            to = self.random.choice(snapshots[-4:-1])
            self._kill(lambda: self._restore(to), self.random.randint(1, 12))

    def _restore(self, to: int) -> None:
        try:
            roll_back.restore(self.lake.spark, self.lake.database, EVENTS, to)
        except LakeError as error:
            if not any(reason in str(error) for reason in REFUSALS):
                raise
            self.told.append(str(error))

    def damage_and_backfill(self) -> None:
        """Rows of closed days are lost by other hands; the backfill that mends it may die, and run again."""
        if not self._is_written:
            return
        self._undisturbed(self.ingest)
        name, uuid = self.lake.name(EVENTS), f"e{self.random.randrange(8)}"
        self.lake.spark.sql(f"DELETE FROM {name} WHERE timestamp < {NOON - A_DAY // 2} AND uuid = '{uuid}'")
        self._kill(self._backfill, self.random.randint(1, 20))
        self._backfill()

    def _backfill(self) -> None:
        options = backfill.build_parser().parse_args([*self.lake.arguments(EVENTS), *CLOSED_DAYS, "--apply"])
        self.seconds += 1
        backfill.run(self.lake.spark, options, NOW + timedelta(seconds=self.seconds))

    @property
    def _is_written(self) -> bool:
        name = self.lake.name(EVENTS)
        return self.lake.spark.catalog.tableExists(name) and bool(self.lake.snapshots(EVENTS))

    def _kill(self, job: Callable[[], None], after: int) -> None:
        def kill(point: str) -> None:
            self.told.append(f"killed at {point}")
            raise Killed(point)

        try:
            with self._at_point(after, kill):
                job()
        except Killed:
            pass

    @contextmanager
    def _at_point(self, number: int, act: Callable[[str], None]) -> Iterator[None]:
        left = iter(range(number))

        def pass_by(point: str) -> None:
            if next(left, None) is None:
                publishing.commit_point = publishing.no_hook
                act(point)

        publishing.commit_point = pass_by
        try:
            yield
        finally:
            publishing.commit_point = publishing.no_hook

    def _undisturbed(self, job: Callable[[], None]) -> None:
        publishing.commit_point = publishing.no_hook
        job()


KINDS = (
    *("deliver",) * 4,
    *("ingest",) * 2,
    *("kill an ingest",) * 3,
    *("race an ingest",) * 2,
    *("count", "kill a count", "compact", "expire", "roll back", "roll back", "damage and backfill"),
)


@pytest.mark.spark
def test_any_history_ends_in_the_truth(lake_anew: Callable[[], Lake]) -> None:
    seed = int(os.environ.get("LAKE_SEED") or time.time())
    print(f"LAKE_SEED={seed}")
    random = Random(seed)
    for number in range(HISTORIES):
        history = History(lake_anew(), random)
        try:
            for step in ("deliver", *(random.choice(KINDS) for _ in range(STEPS)), "ingest", "count"):
                history.take(step)
            assert_true(history.lake)
            assert contents(history.lake, [table.name for table in KPI_TABLES]) == expected_tables(
                history.lake.bronze
            )
        except Exception as error:
            error.add_note(f"LAKE_SEED={seed}, history {number}: {history.told}")
            raise
