"""Replay of quarantine: chosen entries are judged anew, as they are or corrected, by the rules of ingest.

What is valid now becomes an event at the entry's own position, or a duplicate. Corrections are written to
quarantine first; silver's commit is the commit point and names the entries, which are marked after it. So a
run that was killed anywhere is made good by the next one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.content import ContentError, canonical_content
from config.events import UUID_CONFLICT
from config.tables import BRONZE
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.findings import SparkFindings
from emr_jobs.lake.history import at_snapshot
from emr_jobs.lake.ledger import Position
from emr_jobs.lake.silver import SilverLake
from emr_jobs.transforms.identity import CONFLICT, EVENT_FIELDS, POSITION
from emr_jobs.transforms.validity import with_reject_reason

logger = logging.getLogger(__name__)

_POSITIONS = "source_file string, source_row bigint"


@dataclass(frozen=True)
class Choice:
    """Which open entries to replay: all conditions that are given must hold.

    ``corrections`` are events as canonical JSON, by position; with any, only their entries are chosen.
    """

    reasons: tuple[str, ...] = ()
    source_file: str = ""
    uuid: str = ""
    corrections: Mapping[Position, str] = field(default_factory=dict)

    @property
    def condition(self) -> Column:
        """Whether an entry is chosen, corrections apart."""
        chosen = (F.col("state") == "open") & (F.col("reason") != UUID_CONFLICT)
        if self.reasons:
            chosen &= F.col("reason").isin(list(self.reasons))
        if self.source_file:
            chosen &= F.col("source_file") == self.source_file
        if self.uuid:
            chosen &= F.get_json_object("raw", "$.uuid") == self.uuid
        return chosen


@dataclass(frozen=True)
class ReplayReport:
    """What one run did: ``chosen`` entries; ``replayed`` of them became events or duplicates.

    ``refused`` stay open: those still invalid by reason, or with UUID_CONFLICT where another content counts
    for the event's identity. ``events`` is by how many rows silver grew.
    """

    chosen: int = 0
    replayed: int = 0
    events: int = 0
    duplicates: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


def parse_corrections(lines: Sequence[str]) -> dict[Position, str]:
    """Corrections by position, from lines of JSON: source_file, source_row and event.

    Raises:
        LakeError: naming the first line that is none.
    """
    corrections: dict[Position, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            position = (str(document["source_file"]), int(document["source_row"]))
            corrections[position] = canonical_content(document["event"]).decode("ascii")
        except (ValueError, TypeError, KeyError, AttributeError, ContentError) as error:
            raise LakeError(f"line {number} of the corrections is none: {error!r}") from error
    return corrections


class ReplayLake(SilverLake):
    """Silver and quarantine, as a replay works on them."""

    def choose(self, choice: Choice) -> DataFrame:
        """The chosen entries: the event (all null: unreadable), position, arrival_hour, corrected."""
        if self._quarantine_base is None:
            return self._spark.createDataFrame(
                [], f"{BRONZE.schema_ddl}, {_POSITIONS}, arrival_hour timestamp"
            )
        entries = at_snapshot(self._spark, self._quarantine, self._quarantine_base.id).where(choice.condition)
        rows = [(*position, event) for position, event in sorted(choice.corrections.items())]
        corrections = self._spark.createDataFrame(rows, f"{_POSITIONS}, corrected string")
        how = "inner" if choice.corrections else "left"
        chosen = entries.join(F.broadcast(corrections), list(POSITION), how)
        event = F.from_json(F.coalesce("corrected", "raw"), BRONZE.schema_ddl)
        return chosen.select(*POSITION, "arrival_hour", "corrected", event.alias("event")).select(
            *(F.col("event")[name].alias(name) for name in EVENT_FIELDS),
            *POSITION,
            "arrival_hour",
            "corrected",
        )

    def without(self, rows: DataFrame, entries: Sequence[Position]) -> DataFrame:
        """The rows that are not at these positions."""
        excluded = self._spark.createDataFrame(list(entries), _POSITIONS)
        return rows.join(F.broadcast(excluded), list(POSITION), "left_anti")

    def note_corrections(self, rows: DataFrame) -> None:
        """Write corrections beside the entries that they correct."""
        corrected = rows.where(F.col("corrected").isNotNull())
        if not corrected.isEmpty():
            self._change_quarantine(corrected, "correction = s.corrected")

    def mark_replayed(self, entries: Sequence[Position], now: datetime) -> None:
        """Say of entries that they were replayed; those that say so already keep their time."""
        rows = self._spark.createDataFrame(sorted(entries), _POSITIONS)
        self._change_quarantine(
            rows, f"state = 'replayed', replayed_at = TIMESTAMP '{now:%Y-%m-%d %H:%M:%S}'", "t.state = 'open'"
        )

    def _change_quarantine(self, rows: DataFrame, assignment: str, condition: str = "true") -> None:
        rows.createOrReplaceTempView("replayed_entries")
        same = " AND ".join(f"t.{column} = s.{column}" for column in POSITION)

        def write(branch: str) -> None:
            self._spark.sql(
                f"MERGE INTO {branch} t USING replayed_entries s ON {same} AND {condition} "
                f"WHEN MATCHED THEN UPDATE SET {assignment}"
            )

        self._quarantine_base = publishing.publish(
            self._spark, self._quarantine, write, base=self._quarantine_base
        )

    def judge_entries(self, rows: DataFrame, cached: ExitStack) -> tuple[SparkFindings, list[Position]]:
        """Findings about valid entries, and the positions of those that contradict an event."""
        findings = self._judge_events(rows.drop("corrected"), cached)
        if findings.judged is None:
            return findings, []
        contradicting = findings.judged.copies.where(F.col("in_new") & (F.col("judgement") == CONFLICT))
        return findings, [
            (row.source_file, row.source_row) for row in contradicting.select(*POSITION).collect()
        ]


def replay(lake: ReplayLake, choice: Choice, now: datetime) -> ReplayReport:
    """Replay the chosen entries; a run that lost to another writer starts over.

    Raises:
        LakeError: nothing was published to silver; the message says why.
    """
    return publishing.start_over(lambda: _replay_once(lake, choice, now))


def _replay_once(lake: ReplayLake, choice: Choice, now: datetime) -> ReplayReport:
    _finish(lake, now)
    ledger = lake.look()
    with ExitStack() as cached:
        chosen = with_reject_reason(lake.choose(choice)).persist()
        cached.callback(chosen.unpersist)
        counts = {
            row.reject_reason: row["count"] for row in chosen.groupBy("reject_reason").count().collect()
        }
        refused = {reason: count for reason, count in counts.items() if reason}
        valid = chosen.where(F.col("reject_reason").isNull()).drop("reject_reason")
        findings, contradicting = lake.judge_entries(valid, cached)
        if contradicting:
            refused[UUID_CONFLICT] = len(contradicting)
            valid = lake.without(valid, contradicting)
            findings, _ = lake.judge_entries(valid, cached)
        positions = [(row.source_file, row.source_row) for row in valid.select(*POSITION).collect()]
        if not positions:
            logger.info("nothing to replay")
            return ReplayReport(chosen=sum(counts.values()), refused=refused)
        lake.note_corrections(valid)
        lake.add_to_quarantine(findings)
        lake.publish(findings, [], ledger.replaying(positions, findings.duplicates, findings.retired))
        report = ReplayReport(
            chosen=sum(counts.values()),
            replayed=len(positions),
            events=findings.events,
            duplicates=sum(findings.duplicates.values()),
            refused=refused,
        )
    _finish(lake, now)
    return report


def _finish(lake: ReplayLake, now: datetime) -> None:
    """Do in quarantine what silver's last commit has announced."""
    ledger = lake.look()
    if not ledger.retired and not ledger.replayed:
        return
    if ledger.retired:
        lake.retire(sorted(ledger.retired))
    if ledger.replayed:
        lake.mark_replayed(sorted(ledger.replayed), now)
    lake.publish_ledger(ledger.without_retired().without_replayed())
