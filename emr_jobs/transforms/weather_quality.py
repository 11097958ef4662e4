"""How good a run's weather is: counts, a rate, and whether they are good enough to publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.weather import QualityRules


@dataclass(frozen=True)
class Metric:
    """One figure: a rate in percent or a count of rows, and the least that is acceptable, if any."""

    name: str
    value: float
    threshold: float | None = None

    @property
    def verdict(self) -> Literal["pass", "fail", "none"]:
        """Whether it reaches its threshold."""
        if self.threshold is None:
            return "none"
        return "pass" if self.value >= self.threshold else "fail"


@dataclass(frozen=True)
class Exact(Metric):
    """One figure that is to be equal to its threshold."""

    @property
    def verdict(self) -> Literal["pass", "fail", "none"]:
        """Whether it is."""
        return "pass" if self.value == self.threshold else "fail"


def measure_weather(weather: DataFrame, rules: QualityRules) -> tuple[Metric, ...]:
    """The metrics of the rows of ``to_weather``. One pass over the data."""
    no_temperature = F.col("max_tenths").isNull() | F.col("min_tenths").isNull()
    counted = weather.agg(
        F.count(F.lit(1)).alias("total"),
        F.count_if(F.col("is_complete")).alias("complete"),
        F.count_if(no_temperature).alias("no_temperature"),
        F.count_if(F.col("rain_tenths").isNull()).alias("no_precipitation"),
        F.count_if(F.col("is_inverted")).alias("inverted"),
        F.count_if(F.col("is_absurd")).alias("absurd"),
        F.coalesce(F.sum(F.col("copies") - 1), F.lit(0)).alias("duplicates"),
    ).first()
    completeness = 100.0 * counted.complete / counted.total if counted.total else 0.0
    return (
        Metric("Total Rows", counted.total),
        Metric("Complete Rows", counted.complete),
        Metric("Completeness Rate", completeness, rules.min_completeness),
        Metric("Null Temperature Count", counted.no_temperature),
        Metric("Null Precipitation Count", counted.no_precipitation),
        Metric("Inverted Temperature Count", counted.inverted),
        Metric("Absurd Value Count", counted.absurd),
        Metric("Duplicate Row Count", counted.duplicates),
    )


def quality_line(metrics: tuple[Metric, ...]) -> str:
    """The metrics as one line for the log.

    >>> quality_line((Metric("Total Rows", 36500), Metric("Completeness Rate", 99.5, 95.0)))
    'Data Quality Metrics: Total Rows: 36500, Completeness Rate: 99.50%'
    """
    shown = [
        f"{m.name}: {m.value:.2f}%" if m.name.endswith("Rate") else f"{m.name}: {m.value:.0f}"
        for m in metrics
    ]
    return f"Data Quality Metrics: {', '.join(shown)}"
