"""Print the KPI tables as Athena reads them.

    python -m ops.show_tables              the first rows of each, and how many there are
    python -m ops.show_tables --rows 50    more rows

Reads the settings from the environment and .env.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import boto3
from rich.console import Console

from config.project_config import Settings
from config.tables import KPI_TABLES, TableSpec
from ops.athena import run_query
from ops.terminal import command_parser, read_settings, result_table, tells_errors

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
    title = f"{spec.name}: {count:,} rows"
    console.print(
        result_table(found, title=title, title_justify="left", caption=spec.doc, caption_justify="left")
    )


@tells_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 with a message when a table cannot be read."""
    parser = command_parser("ops.show_tables", __doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each table (default: %(default)s)")
    options = parser.parse_args(arguments)
    console = Console()
    settings = read_settings()
    client = boto3.client("athena", region_name=settings.aws_region)
    for spec in KPI_TABLES:
        show_table(console, client, settings, spec, options.rows)
        console.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
