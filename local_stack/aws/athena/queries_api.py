"""The API of query executions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from moto.athena.models import AthenaBackend
from moto.athena.responses import AthenaResponse

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine.catalog import CATALOG
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.interface import Request, StatementKind
from local_stack.aws.athena.engine.parameters import executed_statement
from local_stack.aws.athena.errors import InvalidRequestError
from local_stack.aws.athena.executions import QueryExecution, State
from local_stack.aws.athena.output import read_csv, read_lines
from local_stack.aws.athena.paging import page
from local_stack.aws.athena.runner import QueryRunner, athena_error
from local_stack.aws.athena.saved_queries_api import find_prepared_statement
from local_stack.aws.athena.storage import NoSuchBucketError
from local_stack.aws.athena.workgroups_api import find_work_group

MAX_QUERY_BYTES = 262_144
MAX_RESULT_ROWS = 1000
MAX_LISTED = 50

_WRITTEN_COLUMN = {"Name": "rows", "Label": "rows", "Type": "bigint", "Precision": 19}


class QueriesApi:
    """Operations on query executions, as methods of moto's responses."""

    def __init__(self, runner: QueryRunner) -> None:
        self._runner = runner

    def operations(self) -> dict[str, Callable[[AthenaResponse], str]]:
        """Handlers by the name of moto's method."""
        return {
            "start_query_execution": self.start,
            "stop_query_execution": self.stop,
            "get_query_execution": self.get,
            "batch_get_query_execution": self.batch_get,
            "list_query_executions": self.list_executions,
            "get_query_results": self.results,
            "get_query_runtime_statistics": self.runtime_statistics,
        }

    def start(self, response: AthenaResponse) -> str:
        """StartQueryExecution."""
        backend, request = response.athena_backend, json.loads(response.body)
        token = request.get("ClientRequestToken")
        for existing in list(backend.executions.values()):
            if token and existing.client_token == token:
                if existing.query != request["QueryString"]:
                    raise InvalidRequestError("Idempotent parameters do not match")
                return json.dumps({"QueryExecutionId": existing.id})
        execution, output = self._new_execution(backend, request)
        backend.executions[execution.id] = execution
        self._submit(backend, execution, output)
        return json.dumps({"QueryExecutionId": execution.id})

    def _new_execution(self, backend: AthenaBackend, request: dict[str, Any]) -> tuple[QueryExecution, str]:
        sql = request["QueryString"]
        if not sql.strip() or len(sql.encode()) > MAX_QUERY_BYTES:
            raise InvalidRequestError(f"The query must have 1 to {MAX_QUERY_BYTES} bytes")
        work_group = find_work_group(backend, request.get("WorkGroup") or "primary")
        if work_group.state != "ENABLED":
            raise InvalidRequestError(f"WorkGroup {work_group.name} is disabled.")
        configuration = _result_configuration(
            work_group.configuration, request.get("ResultConfiguration") or {}
        )
        output = configuration["OutputLocation"].rstrip("/") + "/"
        context = request.get("QueryExecutionContext") or {}
        catalog = context.get("Catalog") or ""
        if catalog and catalog.lower() != CATALOG:
            raise InvalidRequestError(f"Catalog {catalog} is not supported by the emulated Athena")
        kind = self._runner.engine.kind(sql)
        query_id = str(uuid4())
        execution = QueryExecution(
            id=query_id,
            query=sql,
            kind=kind,
            database=(context.get("Database") or "").lower(),
            catalog=catalog,
            work_group=work_group.name,
            result_uri=_result_uri(output, query_id, kind),
            result_configuration=configuration,
            parameters=tuple(request.get("ExecutionParameters") or ()),
            scan_limit=work_group.configuration.get("BytesScannedCutoffPerQuery"),
            client_token=request.get("ClientRequestToken"),
        )
        return execution, output

    def _submit(self, backend: AthenaBackend, execution: QueryExecution, output: str) -> None:
        account_id, region = backend.account_id, backend.region_name
        try:
            executed = executed_statement(execution.query)
        except QueryError as error:
            execution.end(State.FAILED, str(error), athena_error(error.code, str(error)))
            return
        if executed is None:
            self._runner.submit(execution, account_id, region, f"{output}tables/")
            return
        name, values = executed
        statement = find_prepared_statement(backend, execution.work_group, name)
        kind = self._runner.engine.kind(statement)
        execution.kind = kind
        execution.result_uri = _result_uri(output, execution.id, kind)
        request = Request(
            query_id=execution.id,
            sql=statement,
            database=execution.database or "default",
            account_id=account_id,
            region=region,
            tables_location=f"{output}tables/",
            parameters=values or execution.parameters,
            scan_limit=execution.scan_limit,
        )
        self._runner.submit_request(execution, request)

    def stop(self, response: AthenaResponse) -> str:
        """StopQueryExecution."""
        self._runner.cancel(_find(response))
        return json.dumps({})

    def get(self, response: AthenaResponse) -> str:
        """GetQueryExecution."""
        return json.dumps({"QueryExecution": _find(response).describe()})

    def batch_get(self, response: AthenaResponse) -> str:
        """BatchGetQueryExecution."""
        executions = response.athena_backend.executions
        wanted = json.loads(response.body)["QueryExecutionIds"]
        missing = [
            {
                "QueryExecutionId": each,
                "ErrorCode": "INVALID_INPUT",
                "ErrorMessage": f"QueryExecution {each} was not found",
            }
            for each in wanted
            if each not in executions
        ]
        found = [executions[each].describe() for each in wanted if each in executions]
        return json.dumps({"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing})

    def list_executions(self, response: AthenaResponse) -> str:
        """ListQueryExecutions: of one workgroup, the newest first."""
        request = json.loads(response.body)
        work_group = find_work_group(response.athena_backend, request.get("WorkGroup") or "primary")
        executions = reversed(list(response.athena_backend.executions.values()))
        ids = [execution.id for execution in executions if execution.work_group == work_group.name]
        return json.dumps(page("QueryExecutionIds", ids, request, MAX_LISTED))

    def results(self, response: AthenaResponse) -> str:
        """GetQueryResults: a page of the result file; of rows, the first holds the names."""
        execution = _find(response)
        request = json.loads(response.body)
        if not execution.is_over:
            raise InvalidRequestError(f"Query has not yet finished. Current state: {execution.state}")
        if execution.state is not State.SUCCEEDED:
            raise InvalidRequestError(
                f"Query did not finish successfully. Final query state: {execution.state}"
            )
        limit = int(request.get("MaxResults") or MAX_RESULT_ROWS)
        if not 1 <= limit <= MAX_RESULT_ROWS:
            raise InvalidRequestError(f"MaxResults is more than maximum allowed length {MAX_RESULT_ROWS}.")
        rows, following = _read_rows(execution, request.get("NextToken"), limit)
        columns = [{**_WRITTEN_COLUMN}] if execution.kind.writes else execution.columns
        answer: dict[str, Any] = {
            "UpdateCount": execution.update_count or 0,
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if value is None else {"VarCharValue": value} for value in row]}
                    for row in rows
                ],
                "ResultSetMetadata": {"ColumnInfo": columns},
            },
        }
        if following is not None:
            answer["NextToken"] = str(following)
        return json.dumps(answer)

    def runtime_statistics(self, response: AthenaResponse) -> str:
        """GetQueryRuntimeStatistics."""
        execution = _find(response)
        rows = {
            "InputBytes": execution.scanned_bytes,
            "OutputBytes": execution.output_bytes,
            "OutputRows": execution.output_rows,
        }
        statistics = {"Timeline": execution.timeline, "Rows": rows}
        return json.dumps({"QueryRuntimeStatistics": statistics})


def _find(response: AthenaResponse) -> QueryExecution:
    query_id = json.loads(response.body)["QueryExecutionId"]
    execution = response.athena_backend.executions.get(query_id)
    if execution is None:
        raise InvalidRequestError(f"QueryExecution {query_id} was not found")
    found: QueryExecution = execution
    return found


def _result_configuration(work_group: dict[str, Any], client: dict[str, Any]) -> dict[str, Any]:
    """Where results go: the workgroup's settings, where it enforces them, else the client's over them."""
    settings = dict(work_group.get("ResultConfiguration") or {})
    if not work_group.get("EnforceWorkGroupConfiguration"):
        settings.update(client)
    location = settings.get("OutputLocation")
    if not location:
        raise InvalidRequestError(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    if not location.startswith("s3://"):
        raise InvalidRequestError("outputLocation is not a valid S3 path.")
    try:
        storage.check_bucket(location)
    except NoSuchBucketError as error:
        raise InvalidRequestError(f"Unable to verify/create output bucket {error}") from error
    return settings


def _result_uri(output: str, query_id: str, kind: StatementKind) -> str:
    return f"{output}{query_id}{'' if kind.writes else '.csv' if kind.has_rows else '.txt'}"


def _read_rows(
    execution: QueryExecution, token: str | None, limit: int
) -> tuple[list[list[str | None]], int | None]:
    if execution.kind.writes:
        return [], None
    if token is not None and not token.isdecimal():
        raise InvalidRequestError("Invalid NextToken")
    try:
        content = storage.read_file(execution.result_uri)
    except (FileNotFoundError, NoSuchBucketError) as error:
        raise InvalidRequestError(f"Could not find results: {execution.result_uri}") from error
    read = read_csv if execution.kind.has_rows else read_lines
    return read(content, int(token or 0), limit)
