"""What silver and quarantine must hold of some days, given all copies, and how they differ from it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.events import UUID_CONFLICT, EntryState
from config.tables import SILVER
from emr_jobs.transforms.identity import (
    CONFLICT,
    DUPLICATE,
    EVENT,
    EVENT_FIELDS,
    HOMES,
    IDENTITY,
    POSITION,
    arrival_day,
    content,
    to_judged,
)
from emr_jobs.transforms.validity import with_reject_reason

REJECTED = "rejected"

COMPARED = tuple(name for name in SILVER.column_names if name != "ingested_at")
"""Columns of silver that follow from what was delivered."""


def to_places(copies: DataFrame, known: DataFrame, entries: DataFrame) -> DataFrame:
    """Every copy at its position, with what it is and what it was.

    ``copies`` are events as delivered or corrected; ``known`` is what silver holds of their days, ``entries``
    all of quarantine. Columns: identity, position, arrival_hour, event (struct), raw, ``judgement`` (event,
    conflict, duplicate or rejected), ``reason`` (that its entry must have; null: none), ``entry_reason`` (of
    its open entry), ``was_event``, ``is_known`` (silver has its identity).
    """
    judged_alone = with_reject_reason(copies).withColumns(
        {"raw": content(), "event": F.struct(*EVENT_FIELDS), **{home: F.lit(False) for home in HOMES}}
    )
    valid = to_judged(judged_alone.where(F.col("reject_reason").isNull()))
    conflict = F.when(F.col("judgement") == CONFLICT, UUID_CONFLICT)
    columns = (*IDENTITY, *POSITION, "arrival_hour", "event", "raw", "judgement", "reason")
    refused = judged_alone.where(F.col("reject_reason").isNotNull()).withColumns(
        {"judgement": F.lit(REJECTED), "reason": F.col("reject_reason")}
    )
    places = valid.withColumn("reason", conflict).select(*columns).unionByName(refused.select(*columns))
    open_entries = entries.where(F.col("state") == EntryState.OPEN)
    return (
        places.join(
            open_entries.select(*POSITION, F.col("reason").alias("entry_reason")), list(POSITION), "left"
        )
        .join(known.select(*POSITION, F.lit(True).alias("was_event")).distinct(), list(POSITION), "left")
        .join(known.select(*IDENTITY, F.lit(True).alias("is_known")).distinct(), list(IDENTITY), "left")
    )


def to_expected(places: DataFrame, known: DataFrame, ingested_at: Column) -> DataFrame:
    """The rows that silver must hold; those that it holds already keep their ``ingested_at``."""
    row = F.struct(*COMPARED)
    before = known.select(*POSITION, row.alias("before"), F.col("ingested_at").alias("before_at"))
    events = places.where(F.col("judgement") == EVENT).select("event.*", *POSITION, "arrival_hour")
    kept = F.col("before").eqNullSafe(row)
    return (
        events.withColumn("event_time", F.timestamp_seconds("timestamp"))
        .join(before.dropDuplicates(list(POSITION)), list(POSITION), "left")
        .withColumn("ingested_at", F.when(kept, F.col("before_at")).otherwise(ingested_at))
        .select(*SILVER.column_names)
    )


def to_changed_days(known: DataFrame, expected: DataFrame) -> DataFrame:
    """Per day of events the rows before and after, and how many identities were added, removed, changed."""

    def marked(rows: DataFrame, others: DataFrame, mark: str) -> DataFrame:
        differing = rows.select(*COMPARED).exceptAll(others.select(*COMPARED))
        return differing.select(_day(), *IDENTITY, F.lit(mark).alias("mark"))

    marks = marked(expected, known, "new").unionByName(marked(known, expected, "old"))
    by_identity = marks.groupBy("day", *IDENTITY).agg(
        F.max(F.col("mark") == "new").alias("is_new"), F.max(F.col("mark") == "old").alias("is_old")
    )
    differing = by_identity.groupBy("day").agg(
        _count(F.col("is_new") & ~F.col("is_old")).alias("added"),
        _count(F.col("is_old") & ~F.col("is_new")).alias("removed"),
        _count(F.col("is_new") & F.col("is_old")).alias("changed"),
    )
    before = known.groupBy(_day()).agg(F.count(F.lit(1)).alias("before"))
    after = expected.groupBy(_day()).agg(F.count(F.lit(1)).alias("after"))
    return differing.join(before, "day", "left").join(after, "day", "left").fillna(0).orderBy("day")


def to_missing_entries(places: DataFrame) -> DataFrame:
    """The entries that quarantine lacks, or has under another reason: position, reason, raw, arrival_hour."""
    missing = F.col("reason").isNotNull() & ~F.col("reason").eqNullSafe(F.col("entry_reason"))
    return places.where(missing).select(*POSITION, "reason", "raw", "arrival_hour")


def to_done_entries(places: DataFrame) -> DataFrame:
    """Open entries that are events or duplicates now: position, and entry_reason."""
    done = F.col("entry_reason").isNotNull() & F.col("judgement").isin(EVENT, DUPLICATE)
    return places.where(done).select(*POSITION, "entry_reason")


def to_duplicates_gained(places: DataFrame) -> DataFrame:
    """By arrival day, how many more copies count as duplicates than did: day (text), gained.

    A copy that is nowhere was a duplicate if silver has its identity. If it has not, the event was lost, and
    what repeats it now did so before.
    """
    is_nowhere = F.col("was_event").isNull() & F.col("entry_reason").isNull()
    repeated = F.col("is_known").isNotNull() & F.col("judgement").isin(EVENT, REJECTED)
    is_duplicate = F.col("judgement") == DUPLICATE
    was_duplicate = is_nowhere & (is_duplicate | repeated)
    gained = F.sum(is_duplicate.cast("int") - was_duplicate.cast("int")).alias("gained")
    by_day = places.groupBy(arrival_day().alias("day")).agg(gained).where(F.col("gained") != 0)
    return by_day.withColumn("day", F.col("day").cast("string"))


def _day() -> Column:
    return F.to_date("event_time").alias("day")


def _count(condition: Column) -> Column:
    return F.sum(condition.cast("bigint"))
