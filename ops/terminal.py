"""What the commands have in common: their parsers, their settings, their tables, and how they fail."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from dotenv import find_dotenv, load_dotenv
from rich.console import Console
from rich.table import Table

from config.project_config import ConfigError, Settings
from ops.athena import QueryError, QueryResult


class Main(Protocol):
    """A command: from its arguments (None: the process's own) to its exit status."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run it."""


def command_parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser for ``python -m MODULE``, whose help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def read_settings() -> Settings:
    """The settings of the environment and, where it says nothing, of .env.

    Raises:
        ConfigError: with every problem.
    """
    load_dotenv(find_dotenv(usecwd=True))
    return Settings.from_mapping(os.environ)


def complain(problem: object) -> None:
    """Say on standard error what is wrong."""
    console = Console(stderr=True, emoji=False, highlight=False, soft_wrap=True)
    console.print(str(problem), style="red", markup=False)


def tells_errors(*expected: type[Exception]) -> Callable[[Main], Main]:
    """Let a command end with 1 and a message where settings, AWS or Athena fail it, or as ``expected``."""
    told: tuple[type[Exception], ...] = (ConfigError, QueryError, BotoCoreError, ClientError, *expected)

    def decorate(main: Main) -> Main:
        @wraps(main)
        def run(arguments: Sequence[str] | None = None) -> int:
            try:
                return main(arguments)
            except told as error:
                complain(error)
                return 1

        return run

    return decorate


def rounded(value: object) -> str:
    """A value as people read it: six digits, whole seconds."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def result_table(result: QueryResult, text: Callable[[object], str] = rounded, **look: Any) -> Table:
    """The rows of an answer for the terminal, NULL as nothing; ``look`` goes to rich's Table."""
    table = Table(*result.columns, **look)
    for row in result.rows:
        table.add_row(*("" if value is None else text(value) for value in row))
    return table
