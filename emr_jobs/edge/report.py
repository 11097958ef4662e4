"""What a job says about itself when it is done: one JSON line on stdout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.events import RejectReason
from emr_jobs.lake.tables import Snapshot
from emr_jobs.transforms.outcomes import DUPLICATE


@dataclass(frozen=True)
class RunReport:
    """Rows of one run: ``input_rows`` is the sum of ``unique_rows``, ``duplicates`` and all of ``rejected``.

    ``rejected`` has the reasons that occurred. Given a table of events, ``work`` says of each table what was
    done to it, and rows are those of the days that any of them lacked. ``published`` has the new snapshot of
    each table that was written (its id, the rows of the whole table).
    """

    job: str
    source: str
    input_rows: int
    unique_rows: int
    duplicates: int
    rejected: dict[str, int]
    work: dict[str, str] = field(default_factory=dict)
    published: dict[str, Snapshot] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, job: str, source: str, rows_by_outcome: Mapping[str | None, int]) -> RunReport:
        """A report of what was read: rows by outcome, None for the events that count."""
        rejected = {reason.value: rows_by_outcome.get(reason.value, 0) for reason in RejectReason}
        return cls(
            job=job,
            source=source,
            input_rows=sum(rows_by_outcome.values()),
            unique_rows=rows_by_outcome.get(None, 0),
            duplicates=rows_by_outcome.get(DUPLICATE, 0),
            rejected={reason: rows for reason, rows in rejected.items() if rows},
        )
