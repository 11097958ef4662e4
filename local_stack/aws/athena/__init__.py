"""Athena: SQL on the Iceberg and Parquet tables of the emulated Glue, exact or refused.

``engine`` runs the SQL behind the interface ``engine.interface.Engine``, unless ATHENA_ENGINE names a real
Trino (``local_stack.trino``); the modules beside it are Athena's API: executions, result files, workgroups,
saved queries, metadata.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from moto.athena.responses import AthenaResponse

from local_stack.aws.athena import metadata_api, saved_queries_api, workgroups_api
from local_stack.aws.athena.engine.duck import DuckDb
from local_stack.aws.athena.engine.duckdb_engine import DuckDbEngine
from local_stack.aws.athena.engine.interface import Engine
from local_stack.aws.athena.queries_api import QueriesApi
from local_stack.aws.athena.runner import QueryRunner
from local_stack.aws.context import ServerContext, Worker
from local_stack.trino.choice import chosen_trino


def install(context: ServerContext) -> Worker:
    """Give moto's Athena an engine; returns the worker that runs the queries."""
    runner = QueryRunner(_engine(context))
    operations = {
        **QueriesApi(runner).operations(),
        **workgroups_api.OPERATIONS,
        **saved_queries_api.OPERATIONS,
        **metadata_api.OPERATIONS,
    }
    for name, operation in operations.items():
        setattr(AthenaResponse, name, _as_method(operation))
    return runner


def _engine(context: ServerContext) -> Engine:
    duck = DuckDb(context.endpoint, context.region, context.state_dir / "athena-spill")
    light = DuckDbEngine(duck, context.endpoint)
    home = chosen_trino(os.environ)
    if home is None:
        return light
    # It is made of parts of this package.
    from local_stack.trino.engine import TrinoEngine, TrinoServers

    return TrinoEngine(TrinoServers(home, context.endpoint, context.state_dir / "trino"), light)


def _as_method(operation: Callable[[AthenaResponse], str]) -> Callable[[AthenaResponse], str]:
    """A bound method of the API would not bind to the response: a function does."""

    def method(response: AthenaResponse) -> str:
        return operation(response)

    return method
