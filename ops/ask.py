"""Ask Athena one of the questions of sql/athena, and tell what the answer cost.

    python -m ops.ask                          which questions there are
    python -m ops.ask worst_sensors_this_week  the answer, bytes scanned, seconds and US dollars
    python -m ops.ask mine.sql                 the same for a query of your own

Reads the settings from the environment and .env.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
from rich.console import Console
from rich.table import Table

from ops.athena import QueryResult, run_query
from ops.query_template import saved_queries
from ops.terminal import command_parser, read_settings, result_table, tells_errors


class QuestionError(ValueError):
    """There is no such question; the message lists those that there are."""


def find_sql(question: str) -> str:
    """The SQL of a question of sql/athena, or of a file.

    Raises:
        QuestionError: neither is there.
    """
    known = {query.name: query.sql for query in saved_queries()}
    if question in known:
        return known[question]
    try:
        return Path(question).read_text(encoding="utf-8")
    except OSError as error:
        listed = "\n".join(f"  {name}" for name in known)
        raise QuestionError(f"{question} is no file and no question. Questions:\n{listed}") from error


def list_questions() -> Table:
    """The questions, by name, and what each answers."""
    table = Table(title="Questions", title_justify="left")
    table.add_column("name")
    table.add_column("answers")
    for query in saved_queries():
        table.add_row(query.name, query.description)
    return table


def cost_line(result: QueryResult) -> str:
    """How many rows there are, and what they cost."""
    return (
        f"{len(result.rows):,} rows; {result.scanned_bytes / 1e6:,.3f} MB scanned in {result.seconds:.1f} s, "
        f"{result.dollars:.6f} US dollars"
    )


@tells_errors(QuestionError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 with a message when there is no answer."""
    parser = command_parser("ops.ask", __doc__)
    parser.add_argument("question", nargs="?", help="name of a question, or a file with a query")
    options = parser.parse_args(arguments)
    console = Console()
    if options.question is None:
        console.print(list_questions())
        return 0
    sql = find_sql(options.question)
    settings = read_settings()
    client = boto3.client("athena", region_name=settings.aws_region)
    result = run_query(client, sql, database=settings.glue_database)
    console.print(result_table(result))
    console.print(cost_line(result), highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
