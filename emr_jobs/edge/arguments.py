"""The command line that all lake jobs share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

from config import names
from config.jobs import DEFAULT_OPEN_HOURS, Job

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,254}")
"""Glue's database and table names, as far as Athena and Spark read them without quotes."""

_UNSAFE_IN_PATH = re.compile(r"[\x00-\x1f\x7f'\"`;\\]|--")
"""Nothing that could end a quoted name or string in SQL."""


@dataclass(frozen=True)
class JobArguments:
    """What every lake job is told, in the order of the command line.

    ``source`` is BRONZE_PATH: a Parquet path, or the name of an Iceberg table of events
    (``table`` in ``database``, or ``database.table``). ``full`` asks to compute everything anew.
    """

    source: str
    database: str
    table: str
    warehouse: str
    full: bool = False

    @property
    def source_is_table(self) -> bool:
        """Whether ``source`` names a table: a path has a slash, a name has none."""
        return is_table_name(self.source)


def is_table_name(source: str) -> bool:
    """Tell the name of an Iceberg table from a path.

    >>> is_table_name("clickstream_events"), is_table_name("s3://bucket/clickstream/"), is_table_name("./x")
    (True, False, False)
    """
    return "/" not in source


def name_argument(text: str) -> str:
    """A database's or table's name on the command line.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: lower-case letters, digits and underscores, no leading digit"
        )
    return text


def _path(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty")
    if _UNSAFE_IN_PATH.search(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} has a quote, a semicolon, a backslash, a control character or --"
        )
    return text


def _source(text: str) -> str:
    path = _path(text)
    if is_table_name(path):
        for part in path.split(".", maxsplit=1):
            name_argument(part)
    return path


def warehouse_argument(text: str) -> str:
    """The root folder of the Iceberg tables on the command line.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    path = _path(text)
    if is_table_name(path):
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder: s3://BUCKET/ or /path")
    return path


@dataclass(frozen=True)
class SourceHelp:
    """What ``--help`` says of a job's input: what it does with it, an example, and what it may be."""

    behaviour: str
    example: str
    meaning: str


EVENTS = SourceHelp(
    behaviour="Reads events, keeps the valid ones once each, publishes atomically.",
    example="s3://my-bronze/clickstream/",
    meaning="Parquet files of events (with dt= and hour= folders or without), "
    "or the name of an Iceberg table of events",
)


def job_parser(job: Job, source: SourceHelp = EVENTS) -> argparse.ArgumentParser:
    """The parser of one job; wrong arguments print the usage and exit 2.

    Jobs with options of their own add them to it before they parse.
    """
    parser = argparse.ArgumentParser(
        prog=f"spark-submit {job.module_file}",
        usage="%(prog)s <BRONZE_PATH> <ICEBERG_DB> <ICEBERG_TABLE> <ICEBERG_WAREHOUSE> [options]",
        description=f"{job.doc}. {source.behaviour}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "example:\n"
            f"  spark-submit --py-files packages.zip {job.module_file} \\\n"
            f"    {source.example} analytics {job.table} s3://my-iceberg/\n\n"
            f"Iceberg tables are reached through the Spark catalog {names.SPARK_CATALOG!r}. A missing or\n"
            "empty BRONZE_PATH creates the tables where absent and leaves existing ones as they are.\n"
            "The last line on stdout is a JSON object that says what was read and published."
        ),
    )
    parser.add_argument(
        "source",
        metavar="BRONZE_PATH",
        type=_source,
        help=source.meaning,
    )
    parser.add_argument(
        "database", metavar="ICEBERG_DB", type=name_argument, help="database of the tables to write"
    )
    parser.add_argument(
        "table",
        metavar="ICEBERG_TABLE",
        type=name_argument,
        help="table to write; a job of two tables derives both names from it",
    )
    parser.add_argument(
        "warehouse",
        metavar="ICEBERG_WAREHOUSE",
        type=warehouse_argument,
        help="root folder of the Iceberg tables",
    )
    return parser


def add_open_hours_option(parser: argparse.ArgumentParser) -> None:
    """How long files may still come into an hour's folder of bronze."""
    parser.add_argument(
        "--open-hours",
        type=_hours,
        default=DEFAULT_OPEN_HOURS,
        help="an hour may get files for so long: the stream's retention and a day (default: %(default)s)",
    )


def _hours(text: str) -> int:
    hours = int(text)
    if hours < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of hours")
    return hours


def add_conversion_errors_option(parser: argparse.ArgumentParser) -> None:
    """``--conversion-errors``."""
    parser.add_argument(
        "--conversion-errors",
        default="",
        metavar="PATH",
        help="folder of the records that Firehose could not convert (default: none are read)",
    )


def parse_with_folder(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """Read the command line of a job whose BRONZE_PATH can only be a folder.

    Raises:
        SystemExit: 2 after the usage on stderr if it is the name of a table, or anything else is wrong.
    """
    options = parser.parse_args(argv)
    if is_table_name(options.source):
        parser.error(f"argument BRONZE_PATH: {options.source!r} is the name of a table, not a folder")
    return options


def parse_job_arguments(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> JobArguments:
    """Read the command line of a job of events, which has the option ``--full``."""
    parser.add_argument(
        "--full",
        action="store_true",
        help="compute everything anew, not only the days that changed in a table of events",
    )
    return JobArguments(**vars(parser.parse_args(argv)))
