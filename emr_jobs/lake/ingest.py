"""One ingest: what it looks at, writes and publishes, in an order that a kill at any point does not harm.

Quarantine is written first and may be written again; silver is published last, and its commit says which
files it took in. Entries that the commit supersedes are marked so after it; until then the ledger names
them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from emr_jobs.lake.commits import Commit, Position
from emr_jobs.lake.ledger import Ledger
from emr_jobs.lake.publish import start_over

logger = logging.getLogger(__name__)

NAMED_FILES = 10
"""So many of the files that are gone are named."""


class Findings(Protocol):
    """What became of the rows of some files, judged together with what silver and quarantine hold."""

    @property
    def rows(self) -> int:
        """Rows read, of events and of failed conversions."""

    @property
    def events(self) -> int:
        """By how many rows silver grows."""

    @property
    def quarantined(self) -> Mapping[str, int]:
        """Entries that quarantine has to have, by reason."""

    @property
    def duplicates(self) -> Mapping[str, int]:
        """Copies that count as duplicates from now on, by arrival day."""

    @property
    def erased(self) -> Mapping[str, int]:
        """Rows of erased sensors, by arrival day: they are in no table."""

    def commit_of(self, files: Sequence[str]) -> Commit:
        """What the commit does that publishes them and takes in ``files``."""


F = TypeVar("F", bound=Findings)


class LakeTables(Protocol[F]):
    """The tables and files that an ingest works on."""

    def look(self) -> Ledger:
        """Look at the tables anew: all that follows refers to this state."""

    def settle(self, ledger: Ledger) -> Ledger:
        """Do in quarantine what silver's last commit has announced; returns the ledger of then."""

    def list_delivered(self, ledger: Ledger) -> Sequence[str]:
        """The files of hours that are open, and those that are owed: all that are there."""

    def judge(self, files: Sequence[str]) -> AbstractContextManager[F]:
        """Read files and say what becomes of their rows."""

    def add_to_quarantine(self, findings: F, files: Sequence[str]) -> Collection[Position]:
        """Publish the entries that quarantine lacks.

        Returns the other open ones of ``files``: a run that was killed has left what is refused no more.
        """

    def publish(self, findings: F, commit: Commit, ledger: Ledger) -> None:
        """Publish silver and the ledger as one, if the tables are as they were looked at."""


@dataclass(frozen=True)
class IngestReport:
    """What one run took in: ``rows`` were read, silver grew by ``events``.

    ``gone`` files were taken out by a rollback and are no longer there: they stay owed, and may come back.
    """

    files: int = 0
    rows: int = 0
    events: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    erased: int = 0
    gone: int = 0


def ingest(lake: LakeTables[F], now: datetime, open_hours: int) -> IngestReport:
    """Take in what was delivered and is not in yet; a run that lost to another one starts over.

    Raises:
        LakeError: nothing was published to silver; the message says why.
    """
    report = start_over(lambda: _ingest_once(lake, now, open_hours))
    settle(lake)
    return report


def settle(lake: LakeTables[F]) -> Ledger:
    """Do in quarantine what silver's last commit has announced; what it published is not done again.

    Raises:
        ConcurrentPublishError: somebody else was faster each time; the next run does it.
    """
    return start_over(lambda: lake.settle(lake.look()))


def _ingest_once(lake: LakeTables[F], now: datetime, open_hours: int) -> IngestReport:
    ledger = lake.settle(lake.look())
    files = ledger.new_files(lake.list_delivered(ledger))
    gone = sorted(ledger.owed.difference(files))
    if gone:
        named = ", ".join(gone[:NAMED_FILES])
        logger.warning("%d files that a rollback took out are no longer there: %s", len(gone), named)
    if not files:
        logger.info("no new files: nothing to do")
        return IngestReport(gone=len(gone))
    logger.info("taking in %d files, %s to %s", len(files), files[0], files[-1])
    with lake.judge(files) as findings:
        left = lake.add_to_quarantine(findings, files)
        found = findings.commit_of(files)
        commit = replace(found, retired=found.retired.union(left))
        lake.publish(findings, commit, ledger.noting(commit).closing(now, open_hours))
        return IngestReport(
            files=len(files),
            rows=findings.rows,
            events=findings.events,
            quarantined=dict(findings.quarantined),
            duplicates=sum(findings.duplicates.values()),
            erased=sum(findings.erased.values()),
            gone=len(gone),
        )
