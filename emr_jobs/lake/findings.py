"""What becomes of the rows of new files: counts on the driver, rows still to be computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from config.events import UUID_CONFLICT
from emr_jobs.lake.commits import Commit, Position
from emr_jobs.lake.frames import persisted
from emr_jobs.transforms.identity import (
    CONFLICT,
    DUPLICATE,
    EVENT,
    HOMES,
    POSITION,
    arrival_day,
    to_judged,
)

ERASED = "erased"
"""What becomes of the rows of erased sensors, where others have the reason of a refusal."""


@dataclass(frozen=True)
class JudgedCopies:
    """Copies of the identities that came more than once, judged; and how many there are of each kind."""

    copies: DataFrame
    tally: Sequence[Row] = ()
    retired: tuple[Position, ...] = ()

    @classmethod
    def of(cls, copies: DataFrame, cached: ExitStack) -> JudgedCopies:
        """Judge copies. What is judged is kept until ``cached`` is left."""
        judged = cached.enter_context(persisted(to_judged(copies)))
        kinds = ("judgement", *HOMES, "is_known")
        tally = judged.groupBy(*kinds, arrival_day().alias("arrival_day")).count()
        superseded = judged.where(F.col("in_quarantine") & (F.col("judgement") != CONFLICT))
        counted = tally.withColumn("arrival_day", F.col("arrival_day").cast("string")).collect()
        is_any_superseded = any(row.in_quarantine and row.judgement != CONFLICT for row in counted)
        positions = superseded.select(*POSITION).collect() if is_any_superseded else []
        return cls(judged, counted, tuple((row.source_file, row.source_row) for row in positions))

    def count(self, **kind: object) -> Counter[str]:
        """Copies of a kind, by arrival day."""
        return total_by_day(
            (row.arrival_day, row["count"])
            for row in self.tally
            if all(row[name] == value for name, value in kind.items())
        )


@dataclass(frozen=True)
class SparkFindings:
    """Findings of one run.

    ``plain`` are the events that came once and are not known, with their bronze columns; ``entries`` are all
    that quarantine must have, with the columns reason, raw, arrival_hour and position. ``valid`` and
    ``rejected`` count the rows of the bronze files by arrival day, and by reason; ``failed`` the failed
    conversions by Firehose's code; ``erased`` those of erased sensors by arrival day. ``days`` are the UTC
    dates of the valid events.
    """

    plain: DataFrame | None
    entries: DataFrame | None
    valid: Mapping[str, int]
    rejected: Mapping[str, int]
    failed: Mapping[str, int] = field(default_factory=dict)
    erased: Mapping[str, int] = field(default_factory=dict)
    days: tuple[date, ...] = ()
    judged: JudgedCopies | None = None

    @property
    def rows(self) -> int:
        """Rows read, of events and of failed conversions."""
        return sum(sum(rows.values()) for rows in (self.valid, self.rejected, self.failed, self.erased))

    @property
    def inserted(self) -> Counter[str]:
        """Rows that this run writes to silver, by arrival day; some take another's place."""
        if self.judged is None:
            return Counter(self.valid)
        plain = Counter(self.valid)
        plain.subtract(self.judged.count(in_new=True))
        return _without_zeros(plain + self.judged.count(judgement=EVENT, in_silver=False))

    @property
    def displaced(self) -> int:
        """Rows of silver that are replaced by a copy at a smaller position."""
        if self.judged is None:
            return 0
        return sum(self.judged.count(judgement=EVENT, in_silver=False, is_known=True).values())

    @property
    def events(self) -> int:
        """By how many rows silver grows."""
        return sum(self.inserted.values()) - self.displaced

    @property
    def quarantined(self) -> Mapping[str, int]:
        """Entries that quarantine has to have, by reason."""
        found = Counter(self.rejected) + Counter(self.failed)
        if self.judged is not None:
            found[UUID_CONFLICT] = sum(self.judged.count(judgement=CONFLICT, in_quarantine=False).values())
        return _without_zeros(found)

    @property
    def duplicates(self) -> Mapping[str, int]:
        """Copies that count as duplicates from now on, by arrival day."""
        return {} if self.judged is None else self.judged.count(judgement=DUPLICATE)

    @property
    def retired(self) -> Sequence[Position]:
        """Entries of quarantine that are superseded by what is published."""
        return () if self.judged is None else self.judged.retired

    def commit_of(self, files: Iterable[str] = (), replayed: Iterable[Position] = ()) -> Commit:
        """What the commit that publishes them does, if it takes in ``files`` or replays entries."""
        return Commit(
            files=frozenset(files),
            duplicates=self.duplicates,
            erased=self.erased,
            retired=frozenset(self.retired),
            replayed=frozenset(replayed),
        )


def count_by_day(rows: DataFrame) -> Counter[str]:
    """Rows by the UTC date of their arrival."""
    counted = rows.groupBy(arrival_day().alias("day")).count().withColumn("day", F.col("day").cast("string"))
    return Counter({row.day: row["count"] for row in counted.collect()})


def total_by_day(counts: Iterable[tuple[str, int]]) -> Counter[str]:
    """Sum counts of equal days."""
    total: Counter[str] = Counter()
    for day, count in counts:
        total[day] += count
    return total


def _without_zeros(counts: Counter[str]) -> Counter[str]:
    return Counter({key: count for key, count in counts.items() if count})
