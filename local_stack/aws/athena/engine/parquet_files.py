"""Parquet files of a Hive table: whether their columns are what the table declares."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.types import Kind, SqlType
from local_stack.aws.athena.storage import StoredFile

_WIDTHS = {Kind.TINYINT: 8, Kind.SMALLINT: 16, Kind.INTEGER: 32, Kind.BIGINT: 64}


def check_file(file: StoredFile, columns: list[tuple[str, SqlType]]) -> None:
    """Want a file to hold the declared columns, where it has them, in types that lose nothing.

    Raises:
        QueryError: HIVE_BAD_DATA, naming column and file; HIVE_CANNOT_OPEN_SPLIT for a file that is
            not Parquet.
    """
    schema = _schema(file)
    found = {field.name.lower(): field.type for field in schema}
    for name, type_ in columns:
        stored = found.get(name)
        if stored is not None and not _holds(stored, type_):
            declared = f"type {type_} defined in table schema"
            message = (
                f"Field {name}'s type {stored} in parquet file {file.uri} is incompatible with {declared}"
            )
            raise QueryError("HIVE_BAD_DATA", message)


@lru_cache(maxsize=65536)
def _schema(file: StoredFile) -> pa.Schema:
    try:
        return pq.read_schema(storage.open_file(file.uri))
    except (pa.ArrowInvalid, OSError) as error:
        message = f"Error opening Hive split {file.uri}: {error}"
        raise QueryError("HIVE_CANNOT_OPEN_SPLIT", message) from error


def _holds(stored: pa.DataType, declared: SqlType) -> bool:
    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    match declared.kind:
        case Kind.BOOLEAN:
            return pa.types.is_boolean(stored)
        case Kind.TINYINT | Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT:
            return pa.types.is_signed_integer(stored) and stored.bit_width <= _WIDTHS[declared.kind]
        case Kind.REAL:
            return pa.types.is_float32(stored)
        case Kind.DOUBLE:
            return pa.types.is_float64(stored) or pa.types.is_float32(stored)
        case Kind.DECIMAL:
            same_scale = pa.types.is_decimal(stored) and stored.scale == declared.scale
            return same_scale and stored.precision <= (declared.precision or 0)
        case Kind.VARCHAR:
            return pa.types.is_string(stored) or pa.types.is_large_string(stored)
        case Kind.VARBINARY:
            return pa.types.is_binary(stored) or pa.types.is_large_binary(stored)
        case Kind.DATE:
            return pa.types.is_date32(stored)
        case Kind.TIMESTAMP:
            return pa.types.is_timestamp(stored)
        case Kind.ARRAY:
            is_list = pa.types.is_list(stored) or pa.types.is_large_list(stored)
            return is_list and _holds(stored.value_type, declared.items[0])
        case Kind.MAP:
            key, item = declared.items
            return pa.types.is_map(stored) and _holds(stored.key_type, key) and _holds(stored.item_type, item)
        case Kind.ROW:
            return pa.types.is_struct(stored) and _struct_holds(stored, declared)
    return False


def _struct_holds(stored: pa.DataType, declared: SqlType) -> bool:
    fields = {
        stored.field(index).name.lower(): stored.field(index).type for index in range(stored.num_fields)
    }
    wanted = zip(declared.names, declared.items, strict=True)
    return all(name not in fields or _holds(fields[name], item) for name, item in wanted)
