"""Athena: SQL on the Iceberg and Parquet tables of the emulated Glue, exact or refused.

``engine`` runs the SQL behind the interface ``engine.interface.Engine``; the modules beside it are
Athena's API: executions, result files, workgroups, saved queries, metadata.
"""

from __future__ import annotations

from collections.abc import Callable

from moto.athena.responses import AthenaResponse

from local_stack.aws.athena import metadata_api, saved_queries_api, workgroups_api
from local_stack.aws.athena.engine.duck import DuckDb
from local_stack.aws.athena.engine.duckdb_engine import DuckDbEngine
from local_stack.aws.athena.queries_api import QueriesApi
from local_stack.aws.athena.runner import QueryRunner
from local_stack.aws.context import ServerContext, Worker


def install(context: ServerContext) -> Worker:
    """Give moto's Athena an engine; returns the worker that runs the queries."""
    duck = DuckDb(context.endpoint, context.region, context.state_dir / "athena-spill")
    runner = QueryRunner(DuckDbEngine(duck, context.endpoint))
    operations = {
        **QueriesApi(runner).operations(),
        **workgroups_api.OPERATIONS,
        **saved_queries_api.OPERATIONS,
        **metadata_api.OPERATIONS,
    }
    for name, operation in operations.items():
        setattr(AthenaResponse, name, _as_method(operation))
    return runner


def _as_method(operation: Callable[[AthenaResponse], str]) -> Callable[[AthenaResponse], str]:
    """A bound method of the API would not bind to the response: a function does."""

    def method(response: AthenaResponse) -> str:
        return operation(response)

    return method
