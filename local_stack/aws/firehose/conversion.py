"""JSON records to an Arrow table by the columns of a Glue table.

Most records go through Arrow's JSON reader thousands at a time, in a mode that refuses everything it
would have to interpret: unknown or repeated members, other cases, text for numbers. The records of a
chunk that it refuses are looked at one by one: those that need no interpreting go to Arrow once more,
the others are read by the deserializer's full rules. So are, from the start, those that Arrow must
not see: it takes NaN and bytes that are not UTF-8, and dies of a lone ``null``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pyarrow.json

from local_stack.aws.firehose.coercion import Coerce, MalformedValueError, compile_coercion
from local_stack.aws.firehose.fitting import Fits, compile_fit, is_vectorised
from local_stack.aws.firehose.hive_types import HiveType, SchemaError, parse_type

PARSE_ERROR = "DataFormatConversion.ParseError"
MALFORMED_DATA = "DataFormatConversion.MalformedData"

_CHUNK = 4096
"""Records a call of Arrow's reader: more at once are not faster."""


_MAX_SPLITS = 256
"""A chunk with more refused records than half of this is looked at record by record."""

_REFUSED_ROW = re.compile(r"in row (\d+)$")
"""Arrow mostly says which row it refuses. That spares looking for it, and nothing else relies on it."""


@dataclass(frozen=True)
class _Refusal:
    """Arrow did not take a chunk, because of the n-th row where it says so."""

    row: int | None


@dataclass(frozen=True)
class ConversionFailure:
    """A record that does not fit: its position in the input, and what AWS calls that."""

    position: int
    code: str
    message: str


@dataclass
class Conversion:
    """The rows of the records that fit, and why the others do not."""

    schema: pa.Schema
    tables: list[pa.Table] = field(default_factory=list)
    failures: list[ConversionFailure] = field(default_factory=list)

    @property
    def table(self) -> pa.Table:
        """All rows, in no particular order."""
        return pa.concat_tables(self.tables) if self.tables else self.schema.empty_table()


class RecordConverter:
    """Converts batches of records to one table's columns.

    ``columns`` are (name, Hive type) pairs as Glue gives them; ``text_is_number`` says whether the
    deserializer takes "21.5" for a number (OpenX does, Hive's does not).

    Raises:
        SchemaError: there are no columns, or one has a type that is not Hive's.
    """

    def __init__(self, columns: Iterable[tuple[str, str]], *, text_is_number: bool = True) -> None:
        types = [(name.lower(), parse_type(text)) for name, text in columns]
        if not types:
            raise SchemaError("The table has no columns")
        row = HiveType("struct", tuple(types))
        self.schema = pa.schema([(name, hive_type.arrow) for name, hive_type in types])
        self._coerce: Coerce = compile_coercion(row, text_is_number=text_is_number)
        self._fits: Fits | None = compile_fit(row) if is_vectorised(row) else None
        parse_float = Decimal if _holds(row, "decimal") else None
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=parse_float)

    def convert(self, records: Sequence[bytes]) -> Conversion:
        """Convert records, each holding one JSON object or several written one after the other."""
        conversion = Conversion(self.schema)
        plain: list[int] = []
        others: list[int] = []
        for position, data in enumerate(records):
            # What ends as it begins holds whole objects, or is refused: rows cannot shift.
            is_plain = self._fits and data[:1] == b"{" and data.rstrip()[-1:] == b"}"
            (plain if is_plain else others).append(position)
        for start in range(0, len(plain), _CHUNK):
            others += self._convert_chunk(records, plain[start : start + _CHUNK], conversion)
        self._convert_one_by_one(records, others, conversion)
        return conversion

    def _convert_chunk(
        self, records: Sequence[bytes], positions: list[int], conversion: Conversion
    ) -> list[int]:
        """Convert what Arrow may see and takes; returns the positions of the others."""
        others = [position for position in positions if not _is_presentable(records[position])]
        waiting = [sorted(set(positions) - set(others)) if others else positions]
        for _ in range(_MAX_SPLITS):
            if not waiting:
                return others
            part = waiting.pop()
            outcome = self._read([records[position] for position in part], unknown="error")
            if isinstance(outcome, pa.Table):
                conversion.tables.append(outcome)
            elif outcome.row is None or outcome.row >= len(part):
                others += self._convert_fitting(records, part, conversion)
            else:
                others.append(part[outcome.row])
                waiting += [rest for rest in (part[outcome.row + 1 :], part[: outcome.row]) if rest]
        for part in waiting:
            others += self._convert_fitting(records, part, conversion)
        return others

    def _convert_fitting(
        self, records: Sequence[bytes], positions: list[int], conversion: Conversion
    ) -> list[int]:
        """Convert what needs no interpreting, unknown members aside; returns the positions of the others."""
        fitting = [position for position in positions if self._is_fitting(records[position])]
        outcome = self._read([records[position] for position in fitting], unknown="ignore")
        if isinstance(outcome, _Refusal):
            return positions
        conversion.tables.append(outcome)
        return sorted(set(positions) - set(fitting))

    def _is_fitting(self, data: bytes) -> bool:
        if b"\\ud" in data.lower():
            return False  # maybe half a surrogate pair
        try:
            value = self._decoder.decode(data.decode("utf-8"))
        except (ValueError, RecursionError):
            return False
        return self._fits is not None and self._fits(value)

    def _read(self, chunk: list[bytes], *, unknown: Literal["error", "ignore"]) -> pa.Table | _Refusal:
        """Rows of a chunk, one a record."""
        joined = b"\n".join(chunk)
        read_options = pa.json.ReadOptions(block_size=len(joined) + 1, use_threads=False)
        parse_options = pa.json.ParseOptions(explicit_schema=self.schema, unexpected_field_behavior=unknown)
        try:
            table = pa.json.read_json(
                pa.BufferReader(joined), read_options=read_options, parse_options=parse_options
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            row = _REFUSED_ROW.search(str(error))
            return _Refusal(int(row[1]) if row else None)
        if table.num_rows != len(chunk):
            return _Refusal(None)
        return table.select(self.schema.names)

    def _convert_one_by_one(
        self, records: Sequence[bytes], positions: list[int], conversion: Conversion
    ) -> None:
        rows: list[dict[str, Any]] = []
        for position in positions:
            try:
                rows += [self._coerce(value) for value in self._objects(records[position])]
            except MalformedValueError as error:
                conversion.failures.append(ConversionFailure(position, MALFORMED_DATA, str(error)))
            except (ValueError, RecursionError) as error:
                message = f"Encountered malformed JSON. {error}"
                conversion.failures.append(ConversionFailure(position, PARSE_ERROR, message))
        if rows:
            conversion.tables.append(pa.Table.from_pylist(rows, schema=self.schema))

    def _objects(self, data: bytes) -> list[dict[str, Any]]:
        """The JSON objects of a record.

        Raises:
            ValueError: it is not UTF-8, holds no object, or anything but objects.
        """
        text = data.decode("utf-8")
        objects = []
        end = _skip_blanks(text, 0)
        while end < len(text):
            value, end = self._decoder.raw_decode(text, end)
            if not isinstance(value, dict):
                raise ValueError(f"A record holds objects only, not {text.strip()[:40]!r}")
            objects.append(value)
            end = _skip_blanks(text, end)
        if not objects:
            raise ValueError("No content to map due to end-of-input")
        return objects


def _skip_blanks(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def _refuse_constant(name: str) -> None:
    raise ValueError(f"Non-standard token {name!r}")


def _is_presentable(data: bytes) -> bool:
    """Whether Arrow may see a record: it takes NaN, infinities, and bytes that are not UTF-8."""
    if b"NaN" in data or b"Inf" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _holds(hive_type: HiveType, name: str) -> bool:
    return hive_type.name == name or any(_holds(inner, name) for _, inner in hive_type.fields)
