"""Replacing some days of a table that is partitioned by month, and only if they changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.tables import TableSpec
from emr_jobs.lake.publish import publish, replacing
from emr_jobs.lake.tables import current_snapshot


def replace_days(
    spark: SparkSession, name: str, rows: DataFrame, spec: TableSpec, day_column: str, days: Iterable[date]
) -> bool:
    """Make ``rows`` all that the table has of ``days``, in one commit; whether there was anything to do.

    Raises:
        ConcurrentPublishError: somebody else committed to the table in between.
    """
    wanted = sorted(days)
    base = current_snapshot(spark, name)
    current = spark.table(name)
    is_replaced = _in_days(day_column, wanted)
    after = rows.where(is_replaced).select(*spec.column_names)
    if base is not None and _are_equal(current.where(is_replaced), after, spec):
        return False
    publish(spark, name, replacing_days(current, rows, spec, day_column, wanted), base=base)
    return True


def replacing_days(
    current: DataFrame, rows: DataFrame, spec: TableSpec, day_column: str, days: Collection[date]
) -> Callable[[str], None]:
    """To write ``rows`` instead of what the table, of which ``current`` has all rows, holds of ``days``.

    Iceberg replaces whole files, so the other days of their months are written again as they are.
    """
    is_replaced = _in_days(day_column, days)
    columns = spec.column_names
    in_months = reduce(Column.__or__, (_in_month(day_column, month) for month in _months(days)))
    untouched = current.where(in_months & ~is_replaced).select(*columns)
    return replacing(untouched.unionByName(rows.where(is_replaced).select(*columns)), spec, in_months)


def with_stamp(
    rows: DataFrame, current: DataFrame, spec: TableSpec, now: datetime, version: str
) -> DataFrame:
    """Add processed_at and processing_version: of the current row where nothing else changed, else new ones.

    ``current`` is what the table holds; rows are matched by the specification's key.
    """
    stamps = ("processed_at", "processing_version")
    compared = [column for column in spec.column_names if column not in (*spec.key, *stamps)]
    known = current.select(
        *spec.key,
        F.struct(*compared).alias("known_row"),
        F.col("processed_at").alias("known_at"),
        F.col("processing_version").alias("known_version"),
    )
    is_same = (F.col("known_version") == version) & F.col("known_row").eqNullSafe(F.struct(*compared))
    return (
        rows.join(known, list(spec.key), "left")
        .withColumn("processed_at", F.when(is_same, F.col("known_at")).otherwise(F.lit(now)))
        .withColumn("processing_version", F.lit(version))
        .drop("known_row", "known_at", "known_version")
    )


def _are_equal(before: DataFrame, after: DataFrame, spec: TableSpec) -> bool:
    row = F.struct(*spec.column_names)
    old = before.select(*spec.key, row.alias("old"))
    new = after.select(*spec.key, row.alias("new"))
    differing = old.join(new, list(spec.key), "full_outer").where(~F.col("old").eqNullSafe(F.col("new")))
    return differing.isEmpty()


def _in_days(day_column: str, days: Iterable[date]) -> Column:
    return F.col(day_column).isin([F.lit(day) for day in days])


def _months(days: Iterable[date]) -> list[date]:
    return sorted({day.replace(day=1) for day in days})


def _in_month(day_column: str, month: date) -> Column:
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return (F.col(day_column) >= F.lit(month)) & (F.col(day_column) < F.lit(following))
