"""Runs query executions in threads of its own."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from local_stack.aws.athena.engine.errors import QueryCancelledError, QueryError
from local_stack.aws.athena.engine.interface import Cancellation, Engine, Request, ScanLimitError
from local_stack.aws.athena.executions import QueryExecution, State
from local_stack.aws.athena.output import ResultFile
from local_stack.aws.iam.check import AccessDeniedError

log = logging.getLogger(__name__)

CONCURRENT_QUERIES = 2
TIMEOUT_SECONDS = 30 * 60.0
"""Athena's quota for DML queries."""

_USER_ERROR, _SYSTEM_ERROR = 2, 1
_ERROR_TYPES = {
    "GENERIC_INTERNAL_ERROR": 200,
    "EXCEEDED_LOCAL_MEMORY_LIMIT": 0,
}
_DEFAULT_ERROR_TYPE = 1006


class QueryRunner:
    """The worker: takes queries, runs them on the engine, ends them when it stops."""

    def __init__(self, engine: Engine, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._engine = engine
        self._timeout_seconds = timeout_seconds
        self._pool = ThreadPoolExecutor(CONCURRENT_QUERIES, thread_name_prefix="athena")
        self._lock = threading.Lock()
        self._running: dict[str, tuple[QueryExecution, Cancellation]] = {}

    @property
    def engine(self) -> Engine:
        """What runs the statements."""
        return self._engine

    def start(self) -> None:
        """Nothing to do: threads start with the first query."""

    def stop(self) -> None:
        """Cancel what is under way and wait for its end."""
        with self._lock:
            running = list(self._running.values())
        for execution, cancellation in running:
            execution.end(State.CANCELLED, "The emulated Athena was stopped")
            cancellation.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._engine.close()

    def submit(self, execution: QueryExecution, account_id: str, region: str, tables_location: str) -> None:
        """Queue an execution."""
        request = Request(
            query_id=execution.id,
            sql=execution.query,
            database=execution.database or "default",
            account_id=account_id,
            region=region,
            tables_location=tables_location,
            parameters=execution.parameters,
            scan_limit=execution.scan_limit,
        )
        self.submit_request(execution, request)

    def submit_request(self, execution: QueryExecution, request: Request) -> None:
        """Queue an execution whose statement is another than the one written (EXECUTE)."""
        cancellation = Cancellation()
        with self._lock:
            self._running[execution.id] = execution, cancellation
        # The query may do what its caller may.
        self._pool.submit(copy_context().run, self._run, execution, request, cancellation)

    def cancel(self, execution: QueryExecution) -> None:
        """Stop an execution; one that has ended stays as it is."""
        with self._lock:
            _, cancellation = self._running.get(execution.id, (None, None))
        execution.end(State.CANCELLED, "Query cancelled by user")
        if cancellation:
            cancellation.cancel()

    def _run(self, execution: QueryExecution, request: Request, cancellation: Cancellation) -> None:
        timer = threading.Timer(self._timeout_seconds, self._time_out, (execution, cancellation))
        timer.daemon = True
        timer.start()
        try:
            self._run_to_end(execution, request, cancellation)
        except Exception as error:
            log.exception("Query %s", execution.id)
            message = f"GENERIC_INTERNAL_ERROR: {error}"
            execution.end(State.FAILED, message, athena_error("GENERIC_INTERNAL_ERROR", message))
        finally:
            timer.cancel()
            with self._lock:
                self._running.pop(execution.id, None)

    def _run_to_end(self, execution: QueryExecution, request: Request, cancellation: Cancellation) -> None:
        if execution.is_over:
            return
        execution.started = time.time()
        execution.state = State.RUNNING
        result = ResultFile(execution)
        try:
            outcome = self._engine.run(request, result, cancellation)
            execution.scanned_bytes = outcome.scanned_bytes
            execution.update_count = outcome.update_count
            cancellation.check()
            result.save(outcome.written)
            execution.end(State.SUCCEEDED)
        except QueryError as error:
            execution.end(State.FAILED, str(error), athena_error(error.code, str(error)))
        except AccessDeniedError as error:
            message = f"PERMISSION_DENIED: {error}"
            execution.end(State.FAILED, message, athena_error("PERMISSION_DENIED", message))
        except ScanLimitError:
            execution.end(State.CANCELLED, "Query cancelled! : Bytes scanned limit was exceeded")
        except QueryCancelledError:
            execution.end(State.CANCELLED, "Query cancelled by user")

    def _time_out(self, execution: QueryExecution, cancellation: Cancellation) -> None:
        message = "Query timeout"
        execution.end(State.FAILED, message, athena_error("QUERY_TIMEOUT", message))
        cancellation.cancel()


def athena_error(code: str, message: str) -> dict[str, Any]:
    """The AthenaError structure."""
    is_system = code == "GENERIC_INTERNAL_ERROR"
    return {
        "ErrorCategory": _SYSTEM_ERROR if is_system else _USER_ERROR,
        "ErrorType": _ERROR_TYPES.get(code, _DEFAULT_ERROR_TYPE),
        "Retryable": False,
        "ErrorMessage": message,
    }
