"""DuckDB's errors in Athena's words."""

from __future__ import annotations

import re

import duckdb

from local_stack.aws.athena.engine.errors import QueryCancelledError, QueryError
from local_stack.aws.athena.engine.typed import FAILURE_MARK

_RAISED = re.compile(rf"string '{FAILURE_MARK}([A-Z_]+):(.*)' to INT32", re.DOTALL)
_OVERFLOW = re.compile(r"Overflow in (\w+) of (\w+) \((.+)\)")
_WIDTHS = {"INT8": "tinyint", "INT16": "smallint", "INT32": "integer", "INT64": "bigint"}
_WIDE_VALUE = re.compile(r"Type INT128 with value (-?\d+) can't be cast")
_RANGE = re.compile(r"Type (\w+) with value (\S+) can't be cast because the value is out of range")
_WORDS = {"addition": "addition", "subtraction": "subtraction", "multiplication": "multiplication"}


def athena_error(error: duckdb.Error) -> Exception:
    """The exception to raise for one of DuckDB's."""
    message = str(error)
    if isinstance(error, duckdb.InterruptException):
        return QueryCancelledError()
    raised = _RAISED.search(message)
    if raised:
        return QueryError(raised[1], raised[2])
    return QueryError(*_known(error, message))


def _known(error: duckdb.Error, message: str) -> tuple[str, str]:
    first_line = message.partition("\n")[0]
    overflow = _OVERFLOW.search(message)
    if overflow:
        operation, width, operands = overflow.groups()
        name = _WIDTHS.get(width, "decimal")
        return "NUMERIC_VALUE_OUT_OF_RANGE", f"{name} {_WORDS.get(operation, operation)} overflow: {operands}"
    if _WIDE_VALUE.search(message):
        return "NUMERIC_VALUE_OUT_OF_RANGE", "bigint addition overflow"
    out_of_range = _RANGE.search(message)
    if out_of_range:
        is_whole = out_of_range[1].startswith("INT")
        code = "NUMERIC_VALUE_OUT_OF_RANGE" if is_whole else "INVALID_CAST_ARGUMENT"
        return code, f"Out of range: {out_of_range[2]}"
    if isinstance(error, duckdb.OutOfRangeException) or (
        "DECIMAL" in first_line and "Overflow" in first_line
    ):
        return "NUMERIC_VALUE_OUT_OF_RANGE", first_line
    if "More than one row returned by a subquery" in message:
        return "SUBQUERY_MULTIPLE_ROWS", "Scalar sub-query has returned multiple rows"
    if isinstance(error, duckdb.OutOfMemoryException):
        return "EXCEEDED_LOCAL_MEMORY_LIMIT", "Query exhausted resources at this scale factor"
    if isinstance(error, duckdb.ConversionException):
        return "INVALID_CAST_ARGUMENT", first_line.removeprefix("Conversion Error: ")
    if isinstance(error, duckdb.HTTPException | duckdb.IOException):
        return "ICEBERG_CANNOT_OPEN_SPLIT", first_line
    return "GENERIC_INTERNAL_ERROR", first_line
