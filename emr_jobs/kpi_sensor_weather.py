"""EMR step: measured climate (the table BRONZE_PATH) beside the nearest grid point's weather.

All of it is joined anew when either table has changed, and nothing is done when neither has: the published
table says in a property which snapshots it joins.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from config.jobs import JOBS
from config.tables import TABLES
from config.weather import MAX_DISTANCE_KM
from emr_jobs.edge.arguments import SourceHelp, is_table_name, job_parser, name_argument
from emr_jobs.edge.command import run_command
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.history import at_snapshot
from emr_jobs.lake.publish import publish, replacing, start_over
from emr_jobs.lake.tables import current_snapshot, ensure_table, load_table, qualified_name
from emr_jobs.transforms.sensor_weather import to_sensor_weather

logger = logging.getLogger(__name__)

SPEC = TABLES["sensor_weather_daily"]

JOINS_PROPERTY = "lakehouse.joins"
"""Property of the table: the snapshots that it joins, the limit, and its own snapshot of then, JSON."""

_SOURCE = SourceHelp(
    behaviour="Joins each day and place with that day's weather at the nearest grid point.",
    example="temp_humidity_kpis",
    meaning="name of the climate table (day, latitude, longitude and measures) in ICEBERG_DB",
)


@dataclass(frozen=True)
class JoinReport:
    """What was done; rows published, and how many of them have weather beside them."""

    work: str
    rows: int = 0
    with_weather: int = 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(JOBS["kpi_sensor_weather"], _SOURCE)
    parser.add_argument(
        "--weather-table", type=name_argument, default="weather_daily", help="default: %(default)s"
    )
    parser.add_argument(
        "--max-distance-km",
        type=float,
        default=MAX_DISTANCE_KM,
        help="weather from farther away is left out (default: %(default)s)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Join, say what was done as one JSON line on stdout, and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if not is_table_name(options.source):
        parser.error(f"argument BRONZE_PATH: {options.source!r} is not the name of a table")
    return run_command(JOBS["kpi_sensor_weather"].name, options.warehouse, lambda spark: join(spark, options))


def join(spark: SparkSession, options: argparse.Namespace) -> JoinReport:
    """Publish the join, unless it is up to date; a run that lost to a concurrent one starts over.

    Raises:
        LakeError: a table is missing or cannot be written.
    """
    return start_over(lambda: _join_once(spark, options))


def _join_once(spark: SparkSession, options: argparse.Namespace) -> JoinReport:
    target = qualified_name(options.database, options.table)
    ensure_table(spark, target, SPEC)
    base = current_snapshot(spark, target)
    climate, climate_at = _existing(spark, qualified_name(options.database, options.source))
    weather, weather_at = _existing(spark, qualified_name(options.database, options.weather_table))

    def said_at(published: int) -> dict[str, str]:
        joined = {"climate": climate_at, "weather": weather_at, "max_distance_km": options.max_distance_km}
        return {JOINS_PROPERTY: json.dumps({**joined, "as_of": published})}

    said = load_table(spark, target).properties().get(JOINS_PROPERTY)
    if base is not None and said == said_at(base.id)[JOINS_PROPERTY]:
        logger.info("%s: up to date", target)
        return JoinReport("up to date")
    rows = to_sensor_weather(climate, weather, options.max_distance_km)
    publish(spark, target, replacing(rows, SPEC), base=base, properties=said_at)
    published = spark.table(target)
    with_weather = published.where("weather_temperature_avg IS NOT NULL").count()
    return JoinReport("joined anew", published.count(), with_weather)


def _existing(spark: SparkSession, name: str) -> tuple[DataFrame, int | None]:
    """A table's rows, and the id of the snapshot that they are of; None if nothing was ever written."""
    if not spark.catalog.tableExists(name):
        raise LakeError(f"There is no table {name}: its job has to run first")
    snapshot = current_snapshot(spark, name)
    if snapshot is None:
        return spark.table(name), None
    return at_snapshot(spark, name, snapshot.id), snapshot.id


if __name__ == "__main__":
    sys.exit(main())
