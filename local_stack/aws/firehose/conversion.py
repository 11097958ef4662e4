"""JSON records to an Arrow table by the columns of a Glue table.

Two ways, one result. Most records go through Arrow's JSON reader thousands at a time, in a mode that
refuses everything it would have to interpret: unknown or repeated members, other cases, text for
numbers. Records that it refuses, and those it must not see (it takes NaN and bytes that are not
UTF-8, and dies of a lone ``null``), are read one by one with the deserializer's full rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json

from local_stack.aws.firehose.coercion import Coerce, MalformedValueError, compile_coercion
from local_stack.aws.firehose.hive_types import HiveType, SchemaError, parse_type

PARSE_ERROR = "DataFormatConversion.ParseError"
MALFORMED_DATA = "DataFormatConversion.MalformedData"

_CHUNKS = (4096, 512)
"""Records a call of Arrow's reader: larger is not faster. A refused chunk is tried again in smaller ones."""

_VECTORISED = frozenset(
    {"tinyint", "smallint", "int", "integer", "bigint", "float", "double", "boolean", "string"}
)


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
        self._is_vectorised = _is_vectorised(row)
        parse_float = Decimal if _holds(row, "decimal") else None
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=parse_float)

    def convert(self, records: Sequence[bytes]) -> Conversion:
        """Convert records, each holding one JSON object or several written one after the other."""
        conversion = Conversion(self.schema)
        plain: list[int] = []
        others: list[int] = []
        for position, data in enumerate(records):
            # What ends as it begins holds whole objects, or is refused: rows cannot shift.
            is_plain = self._is_vectorised and data[:1] == b"{" and data.rstrip()[-1:] == b"}"
            (plain if is_plain else others).append(position)
        for start in range(0, len(plain), _CHUNKS[0]):
            self._convert_plain(records, plain[start : start + _CHUNKS[0]], 0, conversion)
        self._convert_one_by_one(records, others, conversion)
        return conversion

    def _convert_plain(
        self, records: Sequence[bytes], positions: list[int], level: int, conversion: Conversion
    ) -> None:
        table = self._read([records[position] for position in positions])
        if table is not None:
            conversion.tables.append(table)
        elif level + 1 < len(_CHUNKS):
            size = _CHUNKS[level + 1]
            for start in range(0, len(positions), size):
                self._convert_plain(records, positions[start : start + size], level + 1, conversion)
        else:
            self._convert_one_by_one(records, positions, conversion)

    def _read(self, chunk: list[bytes]) -> pa.Table | None:
        """Rows of a chunk, one a record; None if Arrow refuses it or must not see it."""
        joined = b"\n".join(chunk)
        if b"NaN" in joined or b"Inf" in joined or not _is_utf8(joined):
            return None
        read_options = pa.json.ReadOptions(block_size=len(joined) + 1, use_threads=False)
        parse_options = pa.json.ParseOptions(explicit_schema=self.schema, unexpected_field_behavior="error")
        try:
            table = pa.json.read_json(
                pa.BufferReader(joined), read_options=read_options, parse_options=parse_options
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        return table.select(self.schema.names) if table.num_rows == len(chunk) else None

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


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_vectorised(hive_type: HiveType) -> bool:
    """Whether Arrow's reader reads the type as the deserializer does."""
    if hive_type.name in ("struct", "array"):
        return all(_is_vectorised(inner) for _, inner in hive_type.fields)
    return hive_type.name in _VECTORISED


def _holds(hive_type: HiveType, name: str) -> bool:
    return hive_type.name == name or any(_holds(inner, name) for _, inner in hive_type.fields)
