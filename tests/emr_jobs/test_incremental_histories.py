"""Any history of a table of events, with runs of the KPI jobs in between: the tables are as if recomputed.

LAKE_HISTORIES says how many histories to try; each run tries others, --hypothesis-seed repeats those of one.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.kpi_temp_humidity import KPI as TEMP_HUMIDITY
from emr_jobs.lake import publish as publishing
from tests.emr_jobs.test_incremental import Killed, require_truth, run_job, some_event
from tests.support.lake import Lake
from tests.support.silver import Silver

HISTORIES = int(os.environ.get("LAKE_HISTORIES", "10"))
KPIS = (SENSOR_HEALTH, TEMP_HUMIDITY, EVENT_GEO)

STEPS = st.sampled_from(
    [
        "append",
        "append",
        "update",
        "delete",
        "compact",
        "expire",
        "rollback",
        "compact KPIs",
        "run one",
        "kill",
    ]
)

Rows = dict[str, dict[str, Any]]


class History:
    """A table of events, what is in it, and what was in it at each of its snapshots."""

    def __init__(self, lake: Lake, random: Any) -> None:
        self.silver = Silver.create(lake)
        self.random = random
        self.rows: Rows = {}
        self.states: dict[int, Rows] = {}
        self.number = 0

    def take(self, step: str) -> None:
        """Take one step."""
        note(step)
        known = sorted(self.rows)
        if step == "append" or not known:
            added = [self._new_event() for _ in range(self.random.randint(1, 8))]
            self.silver.append(*added)
            self.rows = {**self.rows, **{row["uuid"]: row for row in added}}
        elif step == "update":
            chosen = self.random.sample(known, min(len(known), 2))
            changed = [{**self.rows[uuid], "status": "faulty", "temperature": 0.5} for uuid in chosen]
            self.silver.merge(*changed)
            self.rows = {**self.rows, **{row["uuid"]: row for row in changed}}
        elif step == "delete":
            chosen = self.random.sample(known, self.random.randint(1, len(known)))
            self.silver.delete(*chosen)
            self.rows = {uuid: row for uuid, row in self.rows.items() if uuid not in chosen}
        elif step == "compact":
            self.silver.compact()
        elif step == "expire":
            self.silver.expire_all()
            self.states = {}
        elif step == "rollback" and self.states:
            snapshot = self.random.choice(sorted(self.states))
            self.silver.roll_to(snapshot)
            self.rows = self.states[snapshot]
        elif step == "compact KPIs":
            if self.silver.lake.spark.catalog.tableExists(self.silver.lake.name("event_geo_kpis_events")):
                Silver(self.silver.lake, "event_geo_kpis_events").compact()
        elif step == "run one":
            run_job(self.silver.lake, self.random.choice(KPIS))
        elif step == "kill":
            self._kill_a_run(self.random.randint(1, 12))
        self.states = {**self.states, self.silver.current(): self.rows}

    def _new_event(self) -> dict[str, Any]:
        self.number += 1
        return some_event(self.random, self.number)

    def _kill_a_run(self, after: int) -> None:
        left = iter(range(after))

        def kill(point: str) -> None:
            if next(left, None) is None:
                raise Killed(point)

        publishing.commit_point = kill
        try:
            for kpi in KPIS:
                run_job(self.silver.lake, kpi)
        except Killed as killed:
            note(f"killed at {killed}")
        finally:
            publishing.commit_point = publishing.no_hook


@pytest.mark.spark
@given(
    first=st.lists(STEPS, min_size=1, max_size=3),
    then=st.lists(STEPS, min_size=2, max_size=6),
    random=st.randoms(use_true_random=False),
)
@settings(
    max_examples=HISTORIES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
def test_incremental_is_full_whatever_happens(
    lake_anew: Any, first: list[str], then: list[str], random: Any
) -> None:
    history = History(lake_anew(), random)
    for steps in (first, then):
        for step in steps:
            history.take(step)
        for kpi in KPIS:
            run_job(history.silver.lake, kpi)
        require_truth(history.silver.lake, history.rows.values(), *KPIS)
