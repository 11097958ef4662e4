"""What running one statement needs at hand."""

from __future__ import annotations

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from local_stack.aws.athena.engine.catalog import Catalog
from local_stack.aws.athena.engine.compiler import Statement
from local_stack.aws.athena.engine.interface import Request


@dataclass(frozen=True)
class Session:
    """One statement: as asked, its text with parameters in place, and where it runs."""

    request: Request
    sql: str
    catalog: Catalog
    connection: DuckDBPyConnection
    endpoint: str
    statement: Statement
