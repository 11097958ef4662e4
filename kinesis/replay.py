"""Real events from a file or a pipe, one a line: JSON objects, or CSV with a header.

The first line decides: it is a JSON object, or a CSV header. JSON lines travel byte for byte
as they are. CSV names the contract's fields (latitude and longitude are columns of their
own); an empty cell is null, other columns are left out.
"""

from __future__ import annotations

import csv
import json
import math
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.content import ContentError, canonical_content
from kinesis.delivery import MAX_BATCH_BYTES, MAX_RECORD_BYTES
from kinesis.records import MAX_PARTITION_KEY_CHARACTERS, Record, describe

STDIN = "-"

_READ_BYTES = 1 << 18
_IDLE_SECONDS = 0.5
_LONGEST_LINE = MAX_RECORD_BYTES - 4 * MAX_PARTITION_KEY_CHARACTERS
_FULL_BATCH = MAX_BATCH_BYTES - MAX_RECORD_BYTES

_CSV_TYPES: dict[str, Callable[[str], object]] = {
    "sensor_id": int,
    "temperature": float,
    "humidity": float,
    "latitude": float,
    "longitude": float,
    "status": str,
    "event_type": str,
    "timestamp": int,
    "uuid": str,
}
_CSV_OPTIONAL = {"temperature", "humidity"}


class ReplayError(ValueError):
    """The input is unusable; the message names the line and never shows its content."""


class Replay:
    """Events read from a file descriptor as they come."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._lines: Iterator[bytes] = iter(())
        self._rest = b""
        self._ended = False
        self._number = 0
        self._parse: Callable[[bytes], bytes] | None = None
        self._error: ReplayError | None = None

    def take(self, most: int) -> list[Record] | None:
        """Up to ``most`` events, and never more than fit into one call; none if none came for a while.

        None: the input has ended.

        Raises:
            ReplayError: a line is not an event; all events before it were returned.
        """
        if self._error is not None:
            raise self._error
        records: list[Record] = []
        size = 0
        try:
            while len(records) < most and size < _FULL_BATCH:
                line = self._next_line(wait=not records)
                if line is None:
                    return None if self._ended and not records else records
                self._number += 1
                data = self._data(line.strip())
                if data is not None:
                    records.append(describe(data))
                    size += records[-1].size
        except ReplayError as error:
            if not records:
                raise
            self._error = error
        return records

    def _next_line(self, *, wait: bool) -> bytes | None:
        """A line, or None if none is there (after a moment, if ``wait``)."""
        while True:
            line = next(self._lines, None)
            if line is not None:
                return line
            if self._ended or not self._readable(_IDLE_SECONDS if wait else 0):
                return None
            self._read()

    def _readable(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], timeout)
        return bool(ready)

    def _read(self) -> None:
        chunk = os.read(self._descriptor, _READ_BYTES)
        self._ended = not chunk
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self._ended and self._rest:
            lines.append(self._rest)
        if len(self._rest) > _LONGEST_LINE:
            raise self._refusal("longer than a Kinesis record may be (1 MiB)", self._number + len(lines) + 1)
        self._lines = iter(lines)

    def _data(self, line: bytes) -> bytes | None:
        """The payload for a line; None for a blank one and a CSV header."""
        if not line:
            return None
        if len(line) > _LONGEST_LINE:
            raise self._refusal("longer than a Kinesis record may be (1 MiB)")
        if self._parse is None:
            line = line.removeprefix(b"\xef\xbb\xbf")
            if line.startswith(b"{"):
                self._parse = self._json
            else:
                self._parse = self._csv(line)
                return None
        return self._parse(line)

    def _json(self, line: bytes) -> bytes:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            raise self._refusal("not valid JSON") from None
        if not isinstance(event, dict):
            raise self._refusal("JSON, but not an object")
        return line

    def _csv(self, header: bytes) -> Callable[[bytes], bytes]:
        columns = [column.strip() for column in self._cells(header)]
        missing = sorted(_CSV_TYPES.keys() - _CSV_OPTIONAL - set(columns))
        if missing:
            raise self._refusal(
                f"neither a JSON object nor a CSV header with the columns {', '.join(missing)}"
            )

        def parse(line: bytes) -> bytes:
            cells = self._cells(line)
            if len(cells) != len(columns):
                raise self._refusal(f"{len(cells)} cells under {len(columns)} columns")
            event = {
                column: self._value(column, cell)
                for column, cell in zip(columns, cells, strict=True)
                if column in _CSV_TYPES
            }
            place = {name: event.pop(name) for name in ("latitude", "longitude")}
            try:
                return canonical_content(event | {"location": place})
            except ContentError as error:
                raise self._refusal(str(error)) from None

        return parse

    def _cells(self, line: bytes) -> list[str]:
        try:
            return next(csv.reader([line.decode()], strict=True))
        except (UnicodeDecodeError, csv.Error):
            raise self._refusal("not a line of CSV in UTF-8") from None

    def _value(self, column: str, cell: str) -> object:
        text = cell.strip()
        if not text:
            return None
        try:
            value = _CSV_TYPES[column](text)
        except ValueError:
            raise self._refusal(f"{column} is not a number") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refusal(f"{column} is not a finite number")
        return value

    def _refusal(self, problem: str, number: int | None = None) -> ReplayError:
        return ReplayError(f"{self._name}, line {number or self._number}: {problem}")


@contextmanager
def open_replay(name: str) -> Iterator[Replay]:
    """Events from a file, or from standard input for ``-``. A file is checked to its end first.

    Raises:
        ReplayError: the file cannot be read, or a line of it is not an event.
    """
    if name == STDIN:
        yield Replay(sys.stdin.fileno(), "standard input")
        return
    path = Path(name)
    try:
        with path.open("rb", buffering=0) as file:
            if path.is_file():
                check = Replay(file.fileno(), name)
                while check.take(1000) is not None:
                    pass
                file.seek(0)
            yield Replay(file.fileno(), name)
    except OSError as error:
        raise ReplayError(f"{name} cannot be read: {error.strerror}") from None
