"""Task on the Airflow worker: is the weather service there, as expected, and is there budget?

``python -m emr_jobs.weather_check s3://BRONZE/raw/openmeteo/`` asks for a few days of one sensor, and
leaves what it found beside the checkpoint for ``weather_extract``. Exits 1 where the weather should
not be fetched now, 2 on wrong arguments.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from config.weather import WeatherSettings
from emr_jobs.edge.logs import log_to_stderr
from emr_jobs.edge.weather import (
    Landing,
    add_bookkeeping_options,
    add_range_options,
    add_service_options,
    wish_of,
)
from emr_jobs.weather.check import CheckError, check
from emr_jobs.weather.planner import RangeError

log = logging.getLogger("weather_check")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m emr_jobs.weather_check", description=__doc__)
    parser.add_argument("landing", metavar="LANDING_PATH", help="s3://BUCKET/raw/openmeteo/")
    add_bookkeeping_options(parser)
    add_service_options(parser)
    add_range_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check, say the result as one JSON line on stdout, and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(argv)
    log_to_stderr()
    try:
        landing = Landing.open(options.landing, options.region, options.checkpoint_store)
    except ValueError as error:
        parser.error(str(error))
    budget = landing.budget()
    extract = landing.extract(WeatherSettings(options.api_url, options.api_key_parameter), budget)
    try:
        result = check(extract, budget, wish_of(options))
    except RangeError as error:
        parser.error(str(error))
    except CheckError as error:
        log.error("%s", error)
        return 1
    finally:
        extract.client.close()
    sys.stdout.write(result.as_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
