"""EMR step: what is missing of the grid's daily weather, from Open-Meteo into the raw landing.

BRONZE_PATH is the landing, s3://BRONZE/raw/openmeteo/; the other arguments are those of every job
and not used. Runs without a Spark session.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from config.jobs import JOBS
from emr_jobs.edge.arguments import SourceHelp, job_parser
from emr_jobs.edge.weather import (
    add_bookkeeping_options,
    add_range_options,
    add_service_options,
    run_extract_command,
)
from emr_jobs.weather.extract import ExtractError

_SOURCE = SourceHelp(
    behaviour="Asks only for what is missing, lands a day's file whole or not at all.",
    example="s3://my-bronze/raw/openmeteo/",
    meaning="the raw landing, a folder in S3; checkpoint and ledgers lie in checkpoints/ of its bucket",
)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(JOBS["weather_extract"], _SOURCE)
    add_bookkeeping_options(parser)
    add_service_options(parser)
    add_range_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch, say what was done as one JSON line on stdout, and return the exit status."""
    return run_extract_command(
        build_parser(), argv, lambda extract, budget, wish: extract.run(wish), ExtractError
    )


if __name__ == "__main__":
    sys.exit(main())
