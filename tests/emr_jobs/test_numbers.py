"""Exact arithmetic, compared with Python's decimal and with itself in another order."""

from __future__ import annotations

import math
import random
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from emr_jobs.transforms.numbers import (
    exact_average,
    half_up,
    percentage,
    place_degrees,
    to_scaled,
    utc_day,
)

pytestmark = pytest.mark.spark


def test_half_up_takes_ties_away_from_zero(spark: SparkSession) -> None:
    cases = [
        (0.0, 0),
        (-0.0, 0),
        (0.49999999999999994, 0),
        (-0.49999999999999994, 0),
        (0.5, 1),
        (-0.5, -1),
        (1.5, 2),
        (2.5, 3),
        (-2.5, -3),
        (2.4999999999999996, 2),
        (100_000_000.5, 100_000_001),
        (-100_000_000.5, -100_000_001),
        (4503599627370495.5, 4503599627370496),
        (9007199254740991.0, 9007199254740991),
        (None, None),
    ]
    found = spark.createDataFrame([(value,) for value, _ in cases], "x double").select(half_up(F.col("x")))

    assert [row[0] for row in found.collect()] == [expected for _, expected in cases]


def test_scaled_is_the_product_rounded_half_up(spark: SparkSession) -> None:
    rng = random.Random(3)
    values = [rng.uniform(-90, 100) for _ in range(5000)]
    values += [round(rng.uniform(-90, 100), rng.randint(0, 7)) for _ in range(5000)]
    found = spark.createDataFrame([(value,) for value in values], "x double").select(to_scaled(F.col("x")))

    expected = [int(Decimal(value * 1e6).quantize(Decimal(1), ROUND_HALF_UP)) for value in values]
    assert [row[0] for row in found.collect()] == expected


def test_average_is_one_division_of_an_exact_sum(spark: SparkSession) -> None:
    """20 million readings of 100 % humidity overflow nothing; a third is the double nearest to a third."""
    sums = [(1_000_000, 3), (2_000_000_000_000_000, 20_000_000), (-5_000_000, 2), (0, 7), (None, 0)]
    found = spark.createDataFrame(sums, "s bigint, n bigint").select(exact_average(F.col("s"), F.col("n")))

    expected = [1 / 3, 100.0, -2.5, 0.0, None]
    assert [row[0] for row in found.collect()] == expected


def test_average_does_not_depend_on_the_order(spark: SparkSession) -> None:
    rng = random.Random(5)
    values = [rng.uniform(-90, 70) for _ in range(20_000)]
    scaled = [int(Decimal(value * 1e6).quantize(Decimal(1), ROUND_HALF_UP)) for value in values]
    averages = set()
    for _ in range(3):
        rng.shuffle(values)
        frame = spark.createDataFrame([(value,) for value in values], "x double").repartition(7)
        total = F.sum(to_scaled(F.col("x")))
        averages.add(frame.agg(exact_average(total, F.count("x"))).first()[0])

    assert averages == {sum(scaled) / (20_000 * 1_000_000)}


def test_places_are_rounded_to_six_decimals_without_negative_zero(spark: SparkSession) -> None:
    rng = random.Random(7)
    values = [rng.uniform(-180, 180) for _ in range(5000)] + [-0.0, -4e-7, 4e-7, 180.0, -180.0, 52.52]
    found = spark.createDataFrame([(value,) for value in values], "x double").select(
        place_degrees(F.col("x"))
    )

    expected = [float(Decimal(value).quantize(Decimal("0.000001"), ROUND_HALF_UP)) + 0.0 for value in values]
    places = [row[0] for row in found.collect()]
    assert places == expected
    assert all(math.copysign(1, place) == 1 for place in places if place == 0)


def test_percentage_is_exact(spark: SparkSession) -> None:
    counts = [(part, whole) for whole in range(1, 60) for part in range(whole + 1)]
    counts += [(1, 800), (199, 200_000), (66_666_666_667, 100_000_000_000), (99_994_999_999, 100_000_000_000)]
    found = spark.createDataFrame(counts, "part bigint, whole bigint").select(
        percentage(F.col("part"), F.col("whole"))
    )

    expected = [math.floor(Fraction(part * 10_000, whole) + Fraction(1, 2)) / 100 for part, whole in counts]
    assert [row[0] for row in found.collect()] == expected


def test_days_are_utc_whatever_the_session_says(spark: SparkSession) -> None:
    seconds = [946_684_800, 1_780_358_399, 1_780_358_400, 253_402_300_799]
    frame = spark.createDataFrame([(second,) for second in seconds], "t bigint")
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "Pacific/Kiritimati")
    try:
        days = [str(row[0]) for row in frame.select(utc_day(F.col("t"))).collect()]
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)

    assert days == ["2000-01-01", "2026-06-01", "2026-06-02", "9999-12-31"]
