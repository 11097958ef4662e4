"""Look at the events as they were delivered: which hours there are, how many rows each has, some of them.

    python -m ops.partitions list                             hours, files and bytes, from S3's listing
    python -m ops.partitions count                            rows of each hour
    python -m ops.partitions sample dt=2026-11-22/hour=03     some rows of one

Counts and samples go through Athena. Reads the settings from the environment and .env.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from config.project_config import Settings
from config.tables import BRONZE
from lakehouse.objects import bucket_and_key
from ops.athena import run_query
from ops.terminal import command_parser, read_settings, result_table, tells_errors

ROWS = 5
_PARTITION = re.compile(r"dt=(?P<dt>\d{4}-\d\d-\d\d)/hour=(?P<hour>\d\d)/?")


def list_partitions(settings: Settings, options: argparse.Namespace) -> Table:
    """The hours that have files, with how many and how large."""
    s3 = boto3.client("s3", region_name=settings.aws_region)
    bucket, prefix = bucket_and_key(settings.bronze_path)
    sizes: dict[str, list[int]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            folder = entry["Key"].removeprefix(prefix).rpartition("/")[0]
            sizes.setdefault(folder, []).append(entry["Size"])
    table = Table("partition", "files", "bytes", title=settings.bronze_path, title_justify="left")
    for folder, found in sorted(sizes.items()):
        table.add_row(folder, f"{len(found):,}", f"{sum(found):,}")
    return table


def count_partitions(settings: Settings, options: argparse.Namespace) -> Table:
    """The rows of each hour."""
    sql = f"SELECT dt, hour, count(*) AS row_count FROM {BRONZE.name} GROUP BY dt, hour ORDER BY dt, hour"  # noqa: S608
    return _answer(settings, sql)


def sample_partition(settings: Settings, options: argparse.Namespace) -> Table:
    """Some rows of one hour."""
    columns = ", ".join(f'"{column.name}"' for column in BRONZE.columns)
    # The partition has been checked to be digits.
    where = f"dt = '{options.partition['dt']}' AND hour = '{options.partition['hour']}'"
    return _answer(settings, f"SELECT {columns} FROM {BRONZE.name} WHERE {where} LIMIT {options.rows}")  # noqa: S608


def _answer(settings: Settings, sql: str) -> Table:
    client = boto3.client("athena", region_name=settings.aws_region)
    return result_table(run_query(client, sql, database=settings.glue_database), text=str)


def _partition(text: str) -> dict[str, Any]:
    found = _PARTITION.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not dt=YYYY-MM-DD/hour=HH")
    return found.groupdict()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = command_parser("ops.partitions", __doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("list", help=list_partitions.__doc__).set_defaults(run_command=list_partitions)
    commands.add_parser("count", help=count_partitions.__doc__).set_defaults(run_command=count_partitions)
    sample = commands.add_parser("sample", help=sample_partition.__doc__)
    sample.add_argument("partition", type=_partition, metavar="dt=YYYY-MM-DD/hour=HH")
    sample.add_argument("--rows", type=int, default=ROWS)
    sample.set_defaults(run_command=sample_partition)
    return parser.parse_args(arguments)


@tells_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 with a message if AWS refuses."""
    options = parse(arguments)
    Console().print(options.run_command(read_settings(), options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
