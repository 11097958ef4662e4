"""Erasing one sensor's data from silver and quarantine.

Silver's commit is the commit point: it removes the rows and says in its ledger that the sensor is erased, so
that no ingest, replay or backfill brings back what bronze still holds. The entries of quarantine go after it;
until then the ledger names the sensor.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.events import EntryState
from config.tables import SILVER
from emr_jobs.lake.commits import Commit, Position
from emr_jobs.lake.errors import require_equal
from emr_jobs.lake.findings import count_by_day
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.ingest import settle
from emr_jobs.lake.publish import start_over
from emr_jobs.lake.silver import SilverLake
from emr_jobs.transforms.erased import SAID_BY_ENTRIES, erasure_rule, is_erased, is_erased_entry
from emr_jobs.transforms.identity import IDENTITY, POSITION

logger = logging.getLogger(__name__)

STILL_HELD_BY = (
    "bronze files and producers' manifests, until their own retention ends",
    "earlier snapshots of the tables, until upkeep expires them",
)
"""Where an erased sensor's data still is."""


@dataclass(frozen=True)
class ErasureReport:
    """What was erased, or would be: ``events`` of silver, ``entries`` of quarantine in any state.

    Entries of files that are not in go too, but are not counted: their rows are, once they are taken in.
    ``promoted`` entries of other sensors, in conflict with an erased event, are events now. All that arrived
    or was measured until the time ``until`` stays erased, wherever it turns up again.
    """

    sensor_id: int
    until: str
    is_applied: bool
    events: int
    entries: int
    promoted: int
    work: Mapping[str, str] = field(default_factory=dict)
    still_held_by: tuple[str, ...] = STILL_HELD_BY


def erase(lake: SilverLake, sensor_id: int, until: datetime, is_applied: bool) -> ErasureReport:
    """Erase a sensor's data up to a time, or only count it; a run that lost to another writer starts over.

    Raises:
        LakeError: nothing was erased; the message says why.
    """
    report = start_over(lambda: _erase_once(lake, sensor_id, until, is_applied))
    if is_applied:
        settle(lake)
        logger.info("sensor %d is erased; still held by: %s", sensor_id, "; ".join(STILL_HELD_BY))
    return report


def _erase_once(lake: SilverLake, sensor_id: int, until: datetime, is_applied: bool) -> ErasureReport:
    ledger = lake.look()
    if is_applied:
        ledger = lake.settle(ledger)
    limit = max(int(until.timestamp()), ledger.erased_sensors.get(sensor_id, 0))
    sensor = {sensor_id: limit}
    gone = lake.rows.where(is_erased(sensor))
    events = count_by_day(gone)
    entries = lake.quarantine.rows.where(is_erased_entry(sensor, SAID_BY_ENTRIES))
    # A killed ingest leaves conflicts of files that are in, whose rows are still events: they count as these.
    standing = entries.join(lake.rows.select(*POSITION), list(POSITION), "left_anti")
    open_entries = count_by_day(standing.where(F.col("state") == EntryState.OPEN))
    with persisted(_in_conflict(lake, sensor, gone)) as promoted:
        positions: list[Position] = [
            (row.source_file, row.source_row) for row in promoted.select(*POSITION).collect()
        ]
        report = ErasureReport(
            sensor_id=sensor_id,
            until=datetime.fromtimestamp(limit, UTC).isoformat(),
            is_applied=is_applied,
            events=events.total(),
            entries=entries.count(),
            promoted=len(positions),
        )
        if not is_applied:
            return report
        commit = Commit(
            erased=events + open_entries,
            retired=frozenset(positions),
            final="is an erasure, which is not to be taken back",
        )
        noted = ledger.noting(commit)
        after = replace(
            noted, erased_sensors={**ledger.erased_sensors, **sensor}, erasing=frozenset({sensor_id})
        )
        expected = lake.rows.count() - events.total() + len(positions)

        def write(branch: str) -> None:
            if events:
                lake.spark.sql(f"DELETE FROM {branch} WHERE {erasure_rule(sensor)}")  # noqa: S608  numbers
            lake.append(promoted, branch, commit)

        def audit(branch: DataFrame) -> None:
            require_equal(f"rows of {lake.name}", expected, branch.count())
            require_equal(f"rows of sensor {sensor_id}", 0, branch.where(is_erased(sensor)).count())

        lake.publish_rows(write, audit, after)
    return report


def _in_conflict(lake: SilverLake, sensor: Mapping[int, int], gone: DataFrame) -> DataFrame:
    """Of other sensors' open conflicts with erased events the first of each identity, as rows of silver."""
    others = lake.quarantine.conflicts.where(~is_erased(sensor))
    waiting = others.join(gone.select(*IDENTITY), list(IDENTITY), "left_semi")
    first = waiting.groupBy(*IDENTITY).agg(F.min(F.struct(*POSITION)).alias("first"))
    chosen = first.select("first.source_file", "first.source_row")
    return lake.to_silver(waiting.join(chosen, list(POSITION), "left_semi")).select(*SILVER.column_names)
