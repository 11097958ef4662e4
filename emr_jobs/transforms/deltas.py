"""Counts over all days, brought up to date by what some days count now and counted before."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812


def with_delta(counts: DataFrame, now: DataFrame, before: DataFrame, key: Sequence[str]) -> DataFrame:
    """``counts`` plus ``now`` minus ``before``, all with the columns ``key`` and one bigint more.

    Keys that come to zero are left out. A count below zero fails the query: ``counts`` then never held
    what ``before`` says.
    """
    (count,) = set(counts.columns) - set(key)
    columns = [*key, count]
    taken_off = before.select(*key, (-F.col(count)).alias(count))
    summed = (
        counts.select(*columns)
        .unionByName(now.select(*columns))
        .unionByName(taken_off)
        .groupBy(*key)
        .agg(F.sum(count).alias(count))
        .where(F.col(count) != 0)
    )
    impossible = F.raise_error(F.concat(F.lit(f"{count} would be "), F.col(count).cast("string")))
    return summed.withColumn(
        count, F.when(F.col(count) > 0, F.col(count)).otherwise(impossible.cast("bigint"))
    )
