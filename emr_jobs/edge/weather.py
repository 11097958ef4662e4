"""What the weather commands share: options, and the things that those options open."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import boto3

from config.grid import GRID
from config.weather import RequestLimits, WeatherSettings
from emr_jobs.edge.logs import log_to_stderr
from emr_jobs.weather.budget import Budget
from emr_jobs.weather.client import OpenMeteoClient
from emr_jobs.weather.clock import SystemClock
from emr_jobs.weather.documents import DocumentStore, open_documents
from emr_jobs.weather.extract import Extract, Wish
from emr_jobs.weather.landing import RawLanding
from emr_jobs.weather.planner import RangeError
from emr_jobs.weather.series import grid_sensors

log = logging.getLogger(__name__)

MAX_WAIT = timedelta(minutes=40)
"""A run waits no longer than this for a request limit: two thirds of a step's time."""


def add_bookkeeping_options(parser: argparse.ArgumentParser) -> None:
    """``--region`` and ``--checkpoint-store``."""
    parser.add_argument("--region", help="AWS region (default: the environment's)")
    parser.add_argument(
        "--checkpoint-store",
        choices=("s3", "dynamodb"),
        default="s3",
        help="where checkpoint, gap ledger and budget live: S3 alone, or DynamoDB with copies in S3",
    )


def add_service_options(parser: argparse.ArgumentParser) -> None:
    """``--api-url`` and ``--api-key-parameter``."""
    parser.add_argument("--api-url", default="", help="ask this service instead of Open-Meteo's public hosts")
    parser.add_argument(
        "--api-key-parameter", default="", help="name of the SSM parameter that holds a customer's API key"
    )


def add_range_options(parser: argparse.ArgumentParser) -> None:
    """``--start``, ``--end``, ``--days`` and ``--refetch``."""
    day = date.fromisoformat
    parser.add_argument("--start", type=day, metavar="YYYY-MM-DD", help="first day to have")
    parser.add_argument("--end", type=day, metavar="YYYY-MM-DD", help="last day to have (default: today)")
    parser.add_argument(
        "--days",
        type=_positive,
        help="days up to the end (default: from the checkpoint on, else 365)",
    )
    parser.add_argument("--refetch", action="store_true", help="ask again for days that are known already")


def wish_of(options: argparse.Namespace) -> Wish:
    """The range that the options ask for."""
    return Wish(options.start, options.end, options.days, options.refetch)


@dataclass(frozen=True)
class Landing:
    """The raw landing and the documents beside it. ``path`` is ``s3://BUCKET/PREFIX/``."""

    path: str
    session: Any
    documents: DocumentStore

    @classmethod
    def open(cls, path: str, region: str | None, store: str) -> Landing:
        """Open a landing path in S3.

        Raises:
            ValueError: it is not a folder in S3.
        """
        if not path.startswith("s3://"):
            raise ValueError(f"{path!r} is not a folder in S3: s3://BUCKET/raw/openmeteo/")
        session = boto3.Session(region_name=region)
        return cls(f"{path.rstrip('/')}/", session, open_documents(store, _bucket(path), session))

    @property
    def raw(self) -> RawLanding:
        """The raw files."""
        prefix = self.path.removeprefix("s3://").partition("/")[2]
        return RawLanding(_bucket(self.path), prefix, grid_sensors(GRID), self.session.client("s3"))

    def budget(self) -> Budget:
        """The request budget, on the machine's clock."""
        return Budget(self.documents, SystemClock(), RequestLimits(), MAX_WAIT)

    def extract(self, settings: WeatherSettings, budget: Budget) -> Extract:
        """An extract of the platform's grid. Its client is to be closed."""
        client = OpenMeteoClient(
            settings,
            grid_sensors(GRID),
            budget,
            SystemClock(),
            MAX_WAIT,
            api_key=self._api_key(settings.api_key_parameter),
        )
        return Extract(GRID, self.documents, self.raw, client, SystemClock())

    def _api_key(self, parameter: str) -> str | None:
        if not parameter:
            return None
        found = self.session.client("ssm").get_parameter(Name=parameter, WithDecryption=True)
        value: str = found["Parameter"]["Value"]
        return value


class Report(Protocol):
    """What a command has to say."""

    def as_json(self) -> str:
        """As one line."""


def open_landing(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Landing:
    """The landing that the arguments name.

    Raises:
        SystemExit: 2 after the usage on stderr if it is not a folder in S3.
    """
    try:
        return Landing.open(options.source, options.region, options.checkpoint_store)
    except ValueError as error:
        parser.error(str(error))


def run_extract_command(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    act: Callable[[Extract, Budget, Wish], Report],
    failure: type[Exception],
) -> int:
    """Let a command do something with an extract, and say what as one JSON line on stdout; its exit status.

    ``failure`` is what makes that 1.
    """
    options = parser.parse_args(argv)
    log_to_stderr()
    landing = open_landing(parser, options)
    budget = landing.budget()
    extract = landing.extract(WeatherSettings(options.api_url, options.api_key_parameter), budget)
    try:
        report = act(extract, budget, wish_of(options))
    except RangeError as error:
        parser.error(str(error))
    except failure as error:
        log.error("%s", error)
        return 1
    finally:
        extract.client.close()
    sys.stdout.write(report.as_json() + "\n")
    return 0


def _bucket(path: str) -> str:
    return path.removeprefix("s3://").partition("/")[0]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of days")
    return number
