"""What becomes of every row that is read: counted once, a duplicate, or rejected with a reason."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from config.tables import BRONZE
from emr_jobs.transforms.validity import with_reject_reason

DUPLICATE = "duplicate"
"""Outcome of a valid copy that is not the one that counts."""

POSITION = ("source_file", "source_row")


def with_outcome(events: DataFrame) -> DataFrame:
    """Add ``outcome`` (string): null for an event that counts, else ``duplicate`` or a RejectReason.

    One event is one (uuid, timestamp): of its valid copies, which may differ in content, the one with the
    smallest (source_file, source_row) counts. So the result does not depend on the order of reading.

    ``events`` has the event's fields, arrival_hour, source_file and source_row.
    """
    judged = with_reject_reason(events)
    valid = F.col("reject_reason").isNull()
    # Rejected rows pass by, spread over the partitions: many of them lack the very uuid.
    identity = (
        F.when(valid, F.col("uuid")),
        F.when(valid, F.col("timestamp")).otherwise(F.col("source_row")),
    )
    copy = F.row_number().over(Window.partitionBy(*identity).orderBy(*POSITION))
    outcome = F.coalesce("reject_reason", F.when(copy > 1, DUPLICATE))
    return judged.withColumn("outcome", outcome).drop("reject_reason")


def to_counted_fields(events: DataFrame) -> DataFrame:
    """Reduce events with an ``outcome`` to it and the event's fields, all null unless the event counts.

    A rollup grouped by ``outcome`` first then holds what counts in detail, and the rest as one row for each
    outcome: numbers that are exact even if Spark runs a task twice, which observed metrics are not.
    """
    counts = F.col("outcome").isNull()
    return events.select(
        "outcome", *(F.when(counts, F.col(name)).alias(name) for name in BRONZE.column_names)
    )


def count_by_outcome(rollup: DataFrame) -> dict[str | None, int]:
    """Rows read per outcome, from any rollup with ``outcome`` and ``event_count``; None is what counts."""
    counts = rollup.groupBy("outcome").agg(F.sum("event_count").alias("rows"))
    return {row["outcome"]: row["rows"] for row in counts.collect()}
