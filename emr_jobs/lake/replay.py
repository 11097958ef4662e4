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
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.content import ContentError, canonical_content
from config.events import UUID_CONFLICT, EntryState
from config.tables import BRONZE
from emr_jobs.lake.commits import Position
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.findings import SparkFindings
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.ingest import settle
from emr_jobs.lake.publish import start_over
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
        chosen = (F.col("state") == EntryState.OPEN) & (F.col("reason") != UUID_CONFLICT)
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
    for the event's identity. ``events`` is by how many rows silver grew. ``awaiting`` entries are not chosen:
    no ingest has finished taking in their files, and the next one may find otherwise.
    """

    chosen: int = 0
    replayed: int = 0
    events: int = 0
    duplicates: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    awaiting: int = 0


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
            corrections[position] = _contract_fields(document["event"])
        except (ValueError, TypeError, KeyError, AttributeError, ContentError) as error:
            raise LakeError(f"line {number} of the corrections is none: {error!r}") from error
    return corrections


def _contract_fields(event: Mapping[str, Any]) -> str:
    """The event's fields, checked, as JSON: also those that are not part of its canonical content."""
    checked = json.loads(canonical_content(event))
    others = {name: event[name] for name in EVENT_FIELDS if name in event and name not in checked}
    return json.dumps({**checked, **others})


class ReplayLake(SilverLake):
    """Silver and quarantine, as a replay works on them."""

    def choose(self, choice: Choice) -> DataFrame:
        """The chosen entries: the event (all null: unreadable), position, arrival_hour, corrected."""
        chosen = self._among(self.quarantine.rows, choice)
        event = F.from_json(F.coalesce("corrected", "raw"), BRONZE.schema_ddl)
        return chosen.select(*POSITION, "arrival_hour", "corrected", event.alias("event")).select(
            *(F.col("event")[name].alias(name) for name in EVENT_FIELDS),
            *POSITION,
            "arrival_hour",
            "corrected",
        )

    def count_awaiting(self, choice: Choice) -> int:
        """How many entries would be chosen if their files were in."""
        return self._among(self.quarantine.awaiting, choice).count()

    def _among(self, entries: DataFrame, choice: Choice) -> DataFrame:
        """The chosen ones of ``entries``, each with what it is ``corrected`` to."""
        rows = [(*position, event) for position, event in sorted(choice.corrections.items())]
        corrections = self.spark.createDataFrame(rows, f"{_POSITIONS}, corrected string")
        how = "inner" if choice.corrections else "left"
        return entries.where(choice.condition).join(F.broadcast(corrections), list(POSITION), how)

    def without(self, rows: DataFrame, entries: Sequence[Position]) -> DataFrame:
        """The rows that are not at these positions."""
        excluded = self.spark.createDataFrame(list(entries), _POSITIONS)
        return rows.join(F.broadcast(excluded), list(POSITION), "left_anti")

    def judge_entries(self, rows: DataFrame, cached: ExitStack) -> tuple[SparkFindings, list[Position]]:
        """Findings about valid entries, and the positions of those that contradict an event."""
        findings = self._judge_events(rows.drop("corrected"), cached)
        if findings.judged is None:
            return findings, []
        contradicting = findings.judged.copies.where(F.col("in_new") & (F.col("judgement") == CONFLICT))
        return findings, [
            (row.source_file, row.source_row) for row in contradicting.select(*POSITION).collect()
        ]


def replay(lake: ReplayLake, choice: Choice) -> ReplayReport:
    """Replay the chosen entries; a run that lost to another writer starts over.

    Raises:
        LakeError: nothing was published to silver; the message says why.
    """
    report = start_over(lambda: _replay_once(lake, choice))
    settle(lake)
    return report


def _replay_once(lake: ReplayLake, choice: Choice) -> ReplayReport:
    ledger = lake.settle(lake.look())
    awaiting = lake.count_awaiting(choice)
    if awaiting:
        logger.warning("%d entries can be replayed once an ingest has taken in their files", awaiting)
    with ExitStack() as cached:
        chosen = cached.enter_context(persisted(with_reject_reason(lake.choose(choice))))
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
            return ReplayReport(chosen=sum(counts.values()), refused=refused, awaiting=awaiting)
        lake.quarantine.note_corrections(valid)
        lake.add_to_quarantine(findings)
        commit = findings.commit_of(replayed=positions)
        lake.publish(findings, commit, ledger.noting(commit))
        return ReplayReport(
            chosen=sum(counts.values()),
            replayed=len(positions),
            events=findings.events,
            duplicates=sum(findings.duplicates.values()),
            refused=refused,
            awaiting=awaiting,
        )
