"""Exact arithmetic: results that are equal bit for bit whatever the order of the rows.

Every function maps Spark columns to a Spark column of plain SQL expressions: no Python runs per row.
Rounding is half up in the sense of Java, Python's decimal and SQL's ``round``: ties go away from zero.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812  the name that all of Spark's documentation uses

from config.events import AVERAGE_SCALE, LOCATION_DECIMALS

SECONDS_A_HOUR = 3_600
SECONDS_A_DAY = 86_400


def half_up(value: Column) -> Column:
    """Round a double to the nearest bigint, ties away from zero; null stays null.

    Doubling is exact in binary floating point, so that no tie is made or lost on the way
    (``floor(x + 0.5)`` makes one of 0.49999999999999994). Spark's own ``round`` goes through
    BigDecimal and costs some fifty times as much a row.
    """
    magnitude = F.shiftright(F.floor(F.abs(value) * F.lit(2.0)) + F.lit(1), 1)
    return F.when(value < 0, -magnitude).otherwise(magnitude)


def to_scaled(value: Column) -> Column:
    """A measure as a bigint at scale 1e-6, half up. Sums of these do not depend on the order.

    The contract's limits keep a measure below 1e8 scaled: a bigint sum overflows after 9e10 rows.
    """
    return half_up(value * F.lit(float(AVERAGE_SCALE)))


def exact_average(scaled_sum: Column, count: Column) -> Column:
    """Mean as a double, from a sum at scale 1e-6: one division; null where nothing was counted."""
    return F.when(count > 0, scaled_sum.cast("double") / (count * F.lit(AVERAGE_SCALE)).cast("double"))


def place_degrees(degrees: Column) -> Column:
    """Degrees rounded half up to 6 decimals, never -0.0: the key of a place."""
    scale = float(10**LOCATION_DECIMALS)
    return half_up(degrees * F.lit(scale)).cast("double") / F.lit(scale)


def percentage(part: Column, whole: Column) -> Column:
    """``part`` of ``whole`` (bigints, whole > 0) in percent, 2 decimals, half up.

    Exact for wholes below 1e11: the numerator is an integer, and the quotient, at most 10,000, is
    never nearer to the next integer than a double can tell.
    """
    hundredths = F.floor((part * F.lit(20_000) + whole) / (whole * F.lit(2)))
    return hundredths.cast("double") / F.lit(100.0)


def utc_day(epoch_seconds: Column) -> Column:
    """UTC date of epoch seconds (bigint), whatever the time zone of the session."""
    return F.date_from_unix_date(F.floor(epoch_seconds / F.lit(SECONDS_A_DAY)).cast("int"))
