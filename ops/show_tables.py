"""Print the KPI tables as Athena reads them.

    python -m ops.show_tables              the first rows of each, and how many there are
    python -m ops.show_tables --rows 50    more rows

Reads the settings from the environment and .env.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import boto3
from dotenv import find_dotenv, load_dotenv
from rich.console import Console
from rich.table import Table

from config.project_config import ConfigError, Settings
from config.tables import KPI_TABLES, TableSpec
from ops.athena import QueryError, run_query

ROWS = 5


def show_table(console: Console, client: object, settings: Settings, spec: TableSpec, rows: int) -> None:
    """Print the first rows of a table in the order of its key, under its name, meaning and row count."""
    database = settings.glue_database
    count = run_query(client, f"SELECT count(*) AS n FROM {spec.name}", database=database).one()["n"]  # noqa: S608
    columns = ", ".join(spec.column_names)
    key = ", ".join(spec.key)
    # Names come from the table's specification, not from outside.
    first = f"SELECT {columns} FROM {spec.name} ORDER BY {key} LIMIT {rows}"  # noqa: S608
    found = run_query(client, first, database=database)
    table = Table(
        title=f"{spec.name}: {count:,} rows", title_justify="left", caption=spec.doc, caption_justify="left"
    )
    for name in found.columns:
        table.add_column(name)
    for row in found.rows:
        table.add_row(*("" if value is None else _text(value) for value in row))
    console.print(table)


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 with a message when a table cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.show_tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each table (default: %(default)s)")
    options = parser.parse_args(arguments)
    load_dotenv(find_dotenv(usecwd=True))
    console = Console()
    try:
        settings = Settings.from_mapping(os.environ)
        client = boto3.client("athena", region_name=settings.aws_region)
        for spec in KPI_TABLES:
            show_table(console, client, settings, spec, options.rows)
            console.print()
    except (ConfigError, QueryError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
