"""Result files: CSV for rows, text for SHOW and DDL, a manifest for what was written."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine.interface import ResultColumn, Row
from local_stack.aws.athena.engine.types import UNBOUNDED, Kind
from local_stack.aws.athena.executions import QueryExecution

_PRECISIONS = {
    Kind.TINYINT: 3,
    Kind.SMALLINT: 5,
    Kind.INTEGER: 10,
    Kind.BIGINT: 19,
    Kind.REAL: 17,
    Kind.DOUBLE: 17,
    Kind.VARBINARY: 1073741824,
    Kind.TIMESTAMP: 3,
    Kind.TIMESTAMP_TZ: 3,
}
_NAMES = {Kind.REAL: "float"}
_CELL = re.compile(rb'"((?:[^"]|"")*)"|([^",\n]*)')


def column_info(column: ResultColumn, *, is_text: bool) -> dict[str, Any]:
    """A column as GetQueryResults describes it; ``is_text``: of a text file, where AWS says string."""
    kind = column.type.kind
    precision = column.type.precision if kind in (Kind.DECIMAL, Kind.VARCHAR) else _PRECISIONS.get(kind, 0)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": "string" if is_text else _NAMES.get(kind, kind.value),
        "Precision": 0 if is_text else UNBOUNDED if precision is None else precision,
        "Scale": column.type.scale if kind is Kind.DECIMAL else 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind is Kind.VARCHAR and not is_text,
    }


class ResultFile:
    """Collects a result and puts it where AWS does, with its metadata beside it."""

    def __init__(self, execution: QueryExecution) -> None:
        self._execution = execution
        self._parts: list[bytes] = []

    def begin(self, columns: Sequence[ResultColumn]) -> None:
        """Take the columns; a CSV file begins with their names."""
        is_text = not self._execution.kind.has_rows
        self._execution.columns = [column_info(column, is_text=is_text) for column in columns]
        if self._execution.kind.has_rows:
            self._parts.append(csv_line([column.name for column in columns]))

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows."""
        self._execution.output_rows += len(rows)
        if self._execution.kind.has_rows:
            self._parts.append(b"".join(map(csv_line, rows)))
        else:
            self._parts.append("".join(f"{row[0]}\n" for row in rows).encode())

    def save(self, written: Sequence[str]) -> None:
        """Put the files; ``written`` are the data files that the statement wrote."""
        execution = self._execution
        if execution.kind.writes:
            execution.manifest_uri = f"{execution.result_uri}-manifest.csv"
            storage.write_file(execution.manifest_uri, "".join(f"{uri}\n" for uri in written).encode())
        else:
            content = b"".join(self._parts)
            execution.output_bytes = len(content)
            storage.write_file(execution.result_uri, content)
        metadata = json.dumps({"ColumnInfo": execution.columns}).encode()
        storage.write_file(f"{execution.result_uri}.metadata", metadata)


def csv_line(row: Row) -> bytes:
    """A line of the CSV file: every value in quotes, NULL as nothing."""
    cells = ("" if value is None else '"' + value.replace('"', '""') + '"' for value in row)
    return (",".join(cells) + "\n").encode()


def read_csv(content: bytes, offset: int, limit: int) -> tuple[list[list[str | None]], int | None]:
    """Rows from a byte offset on, at most so many, and the offset of the next (None at the end)."""
    rows: list[list[str | None]] = []
    while offset < len(content) and len(rows) < limit:
        row: list[str | None] = []
        while True:
            match = _CELL.match(content, offset)
            quoted = match[1] if match else None
            row.append(None if quoted is None else quoted.decode().replace('""', '"'))
            offset = (match.end() if match else len(content)) + 1
            if content[offset - 1 : offset] != b",":
                break
        rows.append(row)
    return rows, offset if offset < len(content) else None


def read_lines(content: bytes, offset: int, limit: int) -> tuple[list[list[str | None]], int | None]:
    """The same for a text file: a row of one value a line."""
    rows: list[list[str | None]] = []
    while offset < len(content) and len(rows) < limit:
        end = content.index(b"\n", offset)
        rows.append([content[offset:end].decode()])
        offset = end + 1
    return rows, offset if offset < len(content) else None
