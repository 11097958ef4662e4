"""Ask Athena one of the questions of sql/athena, and tell what the answer cost.

    python -m ops.ask                          which questions there are
    python -m ops.ask worst_sensors_this_week  the answer, bytes scanned, seconds and US dollars
    python -m ops.ask mine.sql                 the same for a query of your own

Reads the settings from the environment and .env.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import boto3
from dotenv import find_dotenv, load_dotenv
from rich.console import Console
from rich.table import Table

from config.project_config import ConfigError, Settings
from ops.athena import QueryError, QueryResult, run_query
from ops.query_template import saved_queries


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


def answer_table(result: QueryResult) -> Table:
    """The rows for the terminal."""
    table = Table()
    for name in result.columns:
        table.add_column(name)
    for row in result.rows:
        table.add_row(*("" if value is None else _text(value) for value in row))
    return table


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 with a message when there is no answer."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.ask", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", nargs="?", help="name of a question, or a file with a query")
    options = parser.parse_args(arguments)
    console = Console()
    if options.question is None:
        console.print(list_questions())
        return 0
    load_dotenv(find_dotenv(usecwd=True))
    try:
        sql = find_sql(options.question)
        settings = Settings.from_mapping(os.environ)
        client = boto3.client("athena", region_name=settings.aws_region)
        result = run_query(client, sql, database=settings.glue_database)
    except (ConfigError, QueryError, QuestionError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        return 1
    console.print(answer_table(result))
    console.print(cost_line(result), highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
