"""Print what a run did, how long each part took and what it cost, and which tables are late.

    python -m ops.run_summary                                   the last run of the main DAG
    python -m ops.run_summary --run manual__2026-11-22T03:00:00+00:00

Reads the table run_metrics through Athena, the tables' age from their metadata, and the settings from the
environment and .env. Exits 1 if the run has left no metrics.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from config import names
from config.project_config import Settings
from config.run_tables import RUN_METRICS
from config.tables import TABLES
from lakehouse.table_state import LateTable, late_tables, read_changes
from ops.athena import run_query
from ops.terminal import command_parser, complain, read_settings, tells_errors

_RUN_ID = re.compile(r"[^'\x00-\x1f]{1,250}")
_DAG_ID = re.compile(r"[\w.-]{1,250}")
_SHOWN = ("part", "state", "seconds", "retries", "rows", "bytes", "cluster_hours", "cost_usd")


def read_metrics(client: Any, database: str, dag_id: str, run_id: str | None) -> list[dict[str, Any]]:
    """The rows of a run, or of the DAG's last; in the order in which its parts started.

    Raises:
        QueryError: Athena cannot read the table.
    """
    table = RUN_METRICS.name
    # The ids have been checked: they end no string.
    chosen = (
        f"run_id = '{run_id}'"
        if run_id
        else f"run_id = (SELECT max_by(run_id, started_at) FROM {table} WHERE dag_id = '{dag_id}')"  # noqa: S608
    )
    columns = ", ".join(("run_id", *_SHOWN))
    sql = f"SELECT {columns} FROM {table} WHERE dag_id = '{dag_id}' AND {chosen} ORDER BY started_at, part"  # noqa: S608
    return run_query(client, sql, database=database).records()


def find_late_tables(settings: Settings, now: datetime) -> list[LateTable]:
    """The tables that have not changed for longer than their specifications allow.

    Raises:
        ClientError: the catalog or the bucket refuses.
    """
    glue, s3 = (boto3.client(name, region_name=settings.aws_region) for name in ("glue", "s3"))
    specs = [spec for spec in TABLES.values() if spec.late_after_hours is not None]
    return late_tables(specs, read_changes(glue, s3, settings.glue_database, specs), now)


def metrics_table(rows: Sequence[dict[str, Any]]) -> Table:
    """A run's rows for the terminal."""
    table = Table(title=f"Run {rows[0]['run_id']}", title_justify="left")
    for name in _SHOWN:
        table.add_column(name, justify="left" if name in ("part", "state") else "right")
    for row in rows:
        table.add_row(*(_text(row[name]) for name in _SHOWN))
    return table


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an id")
    return text


@tells_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 with a message when there is nothing to show."""
    parser = command_parser("ops.run_summary", __doc__)
    parser.add_argument("--run", type=lambda text: _matching(_RUN_ID, text), metavar="RUN_ID")
    parser.add_argument("--dag", type=lambda text: _matching(_DAG_ID, text), default=names.DAG_ID)
    options = parser.parse_args(arguments)
    settings = read_settings()
    client = boto3.client("athena", region_name=settings.aws_region)
    rows = read_metrics(client, settings.glue_database, options.dag, options.run)
    late = find_late_tables(settings, datetime.now(UTC))
    if not rows:
        complain(f"{RUN_METRICS.name} has no rows of that run")
        return 1
    console = Console()
    console.print(metrics_table(rows))
    for table in late:
        console.print(f"LATE: {table}", markup=False)
    if not late:
        console.print("No table is late.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
