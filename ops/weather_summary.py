"""Print how much weather the lake holds, how complete it is, and what it looks like, through Athena.

    python -m ops.weather_summary

Reads the settings from the environment and .env. Exits 1 if the weather cannot be read or is empty.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from config.project_config import Settings
from config.tables import TABLES
from config.weather import ATTRIBUTION
from ops.athena import run_query
from ops.terminal import command_parser, complain, read_settings, tells_errors

_WEATHER = TABLES["weather_daily"].name
_JOIN = TABLES["sensor_weather_daily"].name

_TOTALS = f"""
SELECT count(*) AS row_count, count(DISTINCT dt) AS days, count(DISTINCT sensor_id) AS sensors,
  min(dt) AS first_day, max(dt) AS last_day,
  100.0 * count_if(is_complete) / count(*) AS completeness,
  min(temperature_min) AS coldest, max(temperature_max) AS hottest,
  avg(temperature_avg) AS mean_temperature, sum(precipitation) / count(DISTINCT sensor_id) AS precipitation
FROM {_WEATHER}
"""  # noqa: S608 - names of our own

_JOINED = f"""
SELECT count(*) AS places, count_if(weather_temperature_avg IS NOT NULL) AS with_weather FROM {_JOIN}
"""  # noqa: S608 - names of our own


def weather_summary(client: object, settings: Settings) -> dict[str, Any]:
    """The summary's figures: row_count, days, sensors, completeness (percent), temperatures (°C), ...

    Raises:
        QueryError: Athena cannot read the tables.
    """
    totals = run_query(client, _TOTALS, database=settings.glue_database).one()
    return totals | run_query(client, _JOINED, database=settings.glue_database).one()


def summary_table(summary: dict[str, Any]) -> Table:
    """The summary as a table for the terminal, attribution included."""
    table = Table(
        title="Weather", title_justify="left", caption=ATTRIBUTION, caption_justify="left", show_header=False
    )
    table.add_row("Rows", f"{summary['row_count']:,}")
    table.add_row("Days", f"{summary['days']:,}, {summary['first_day']} to {summary['last_day']}")
    table.add_row("Sensors", f"{summary['sensors']:,}")
    table.add_row("Completeness", f"{summary['completeness']:.2f} %")
    table.add_row("Temperature", f"{summary['coldest']} to {summary['hottest']} °C")
    table.add_row("Mean", f"{summary['mean_temperature']:.1f} °C")
    table.add_row("Precipitation", f"{summary['precipitation']:.0f} mm at a mean sensor")
    table.add_row("Joined with KPIs", f"{summary['with_weather']:,} of {summary['places']:,} rows")
    return table


@tells_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 with a message when there is no weather to show."""
    command_parser("ops.weather_summary", __doc__).parse_args(arguments)
    settings = read_settings()
    summary = weather_summary(boto3.client("athena", region_name=settings.aws_region), settings)
    if not summary["row_count"]:
        complain(f"{_WEATHER} is empty: weather_extract and weather_transform have not run")
        return 1
    Console().print(summary_table(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
