"""Task on the Airflow worker: is the weather service there, as expected, and is there budget?

``python -m emr_jobs.weather_check s3://BRONZE/raw/openmeteo/`` asks for a few days of one sensor, and
leaves what it found beside the checkpoint for ``weather_extract``. Exits 1 where the weather should
not be fetched now, 2 on wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from emr_jobs.edge.weather import (
    add_bookkeeping_options,
    add_range_options,
    add_service_options,
    run_extract_command,
)
from emr_jobs.weather.check import CheckError, check


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m emr_jobs.weather_check", description=__doc__)
    parser.add_argument("source", metavar="LANDING_PATH", help="s3://BUCKET/raw/openmeteo/")
    add_bookkeeping_options(parser)
    add_service_options(parser)
    add_range_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check, say the result as one JSON line on stdout, and return the exit status."""
    return run_extract_command(build_parser(), argv, check, CheckError)


if __name__ == "__main__":
    sys.exit(main())
