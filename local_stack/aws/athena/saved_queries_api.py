"""The API of named queries and prepared statements."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from moto.athena.models import AthenaBackend, NamedQuery
from moto.athena.responses import AthenaResponse

from local_stack.aws.athena.errors import InvalidRequestError, ResourceNotFoundError
from local_stack.aws.athena.paging import page
from local_stack.aws.athena.workgroups_api import find_work_group

MAX_LISTED = 50


def find_prepared_statement(backend: AthenaBackend, work_group: str, name: str) -> str:
    """A prepared statement's SQL.

    Raises:
        ResourceNotFoundError: there is none of this name in the workgroup.
    """
    return str(_prepared(backend, work_group, name)["QueryStatement"])


def _prepared(backend: AthenaBackend, work_group: str, name: str) -> dict[str, Any]:
    statement = backend.prepared_statements.get(f"{work_group}/{name}")
    if statement is None:
        raise ResourceNotFoundError(f"PreparedStatement {name} was not found in workGroup {work_group}")
    found: dict[str, Any] = statement
    return found


def create_prepared_statement(response: AthenaResponse) -> str:
    """CreatePreparedStatement."""
    request, backend = json.loads(response.body), response.athena_backend
    key = f"{find_work_group(backend, request['WorkGroup']).name}/{request['StatementName']}"
    if key in backend.prepared_statements:
        raise InvalidRequestError(f"PreparedStatement {request['StatementName']} already exists")
    backend.prepared_statements[key] = _statement(request)
    return json.dumps({})


def _statement(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "StatementName": request["StatementName"],
        "QueryStatement": request["QueryStatement"],
        "WorkGroupName": request["WorkGroup"],
        "Description": request.get("Description", ""),
        "LastModifiedTime": time.time(),
    }


def get_prepared_statement(response: AthenaResponse) -> str:
    """GetPreparedStatement."""
    request = json.loads(response.body)
    found = _prepared(response.athena_backend, request["WorkGroup"], request["StatementName"])
    return json.dumps({"PreparedStatement": found})


def update_prepared_statement(response: AthenaResponse) -> str:
    """UpdatePreparedStatement."""
    request = json.loads(response.body)
    _prepared(response.athena_backend, request["WorkGroup"], request["StatementName"]).update(
        _statement(request)
    )
    return json.dumps({})


def delete_prepared_statement(response: AthenaResponse) -> str:
    """DeletePreparedStatement."""
    request, backend = json.loads(response.body), response.athena_backend
    _prepared(backend, request["WorkGroup"], request["StatementName"])
    del backend.prepared_statements[f"{request['WorkGroup']}/{request['StatementName']}"]
    return json.dumps({})


def list_prepared_statements(response: AthenaResponse) -> str:
    """ListPreparedStatements."""
    request = json.loads(response.body)
    prefix = f"{find_work_group(response.athena_backend, request['WorkGroup']).name}/"
    found = [
        {name: statement[name] for name in ("StatementName", "LastModifiedTime")}
        for key, statement in sorted(response.athena_backend.prepared_statements.items())
        if key.startswith(prefix)
    ]
    return json.dumps(page("PreparedStatements", found, request, MAX_LISTED))


def _named(backend: AthenaBackend, query_id: str) -> NamedQuery:
    query = backend.named_queries.get(query_id)
    if query is None:
        raise InvalidRequestError(f"NamedQuery {query_id} was not found")
    return query


def _describe(query: NamedQuery) -> dict[str, Any]:
    return {
        "NamedQueryId": query.id,
        "Name": query.name,
        "Description": query.description or "",
        "Database": query.database,
        "QueryString": query.query_string,
        "WorkGroup": query.workgroup.name,
    }


def create_named_query(response: AthenaResponse) -> str:
    """CreateNamedQuery."""
    request, backend = json.loads(response.body), response.athena_backend
    work_group = find_work_group(backend, request.get("WorkGroup") or "primary")
    query_id = backend.create_named_query(
        request["Name"],
        request.get("Description", ""),
        request["Database"],
        request["QueryString"],
        work_group.name,
    )
    return json.dumps({"NamedQueryId": query_id})


def get_named_query(response: AthenaResponse) -> str:
    """GetNamedQuery."""
    query = _named(response.athena_backend, json.loads(response.body)["NamedQueryId"])
    return json.dumps({"NamedQuery": _describe(query)})


def batch_get_named_query(response: AthenaResponse) -> str:
    """BatchGetNamedQuery."""
    wanted, known = json.loads(response.body)["NamedQueryIds"], response.athena_backend.named_queries
    return json.dumps(
        {
            "NamedQueries": [_describe(known[each]) for each in wanted if each in known],
            "UnprocessedNamedQueryIds": [{"NamedQueryId": each} for each in wanted if each not in known],
        }
    )


def update_named_query(response: AthenaResponse) -> str:
    """UpdateNamedQuery."""
    request = json.loads(response.body)
    query = _named(response.athena_backend, request["NamedQueryId"])
    query.name, query.query_string = request["Name"], request["QueryString"]
    query.description = request.get("Description", query.description)
    return json.dumps({})


def delete_named_query(response: AthenaResponse) -> str:
    """DeleteNamedQuery."""
    query = _named(response.athena_backend, json.loads(response.body)["NamedQueryId"])
    del response.athena_backend.named_queries[query.id]
    return json.dumps({})


def list_named_queries(response: AthenaResponse) -> str:
    """ListNamedQueries."""
    request, backend = json.loads(response.body), response.athena_backend
    work_group = find_work_group(backend, request.get("WorkGroup") or "primary")
    ids = [query.id for query in backend.named_queries.values() if query.workgroup.name == work_group.name]
    return json.dumps(page("NamedQueryIds", ids, request, MAX_LISTED))


OPERATIONS: dict[str, Callable[[AthenaResponse], str]] = {
    function.__name__: function
    for function in (
        create_prepared_statement,
        get_prepared_statement,
        update_prepared_statement,
        delete_prepared_statement,
        list_prepared_statements,
        create_named_query,
        get_named_query,
        batch_get_named_query,
        update_named_query,
        delete_named_query,
        list_named_queries,
    )
}
