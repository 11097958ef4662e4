"""Types in Hive's words, for Glue, and in Arrow's, for files."""

from __future__ import annotations

import pyarrow as pa

from local_stack.aws.athena.engine.errors import not_supported
from local_stack.aws.athena.engine.types import Kind, SqlType

_HIVE = {
    Kind.BOOLEAN: "boolean",
    Kind.TINYINT: "tinyint",
    Kind.SMALLINT: "smallint",
    Kind.INTEGER: "int",
    Kind.BIGINT: "bigint",
    Kind.REAL: "float",
    Kind.DOUBLE: "double",
    Kind.VARCHAR: "string",
    Kind.VARBINARY: "binary",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMP_TZ: "timestamp",
}
_ARROW = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.TINYINT: pa.int8(),
    Kind.SMALLINT: pa.int16(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.VARCHAR: pa.string(),
    Kind.VARBINARY: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIMESTAMP_TZ: pa.timestamp("us", tz="UTC"),
}
PARQUET_STORAGE = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
"""How Glue says that a table's files are Parquet."""

_NOT_IN_ICEBERG = (Kind.TINYINT, Kind.SMALLINT)


def hive_name(type_: SqlType) -> str:
    """The type as Glue writes it.

    Raises:
        QueryError: NOT_SUPPORTED where it has no name there.
    """
    match type_.kind:
        case Kind.DECIMAL:
            return f"decimal({type_.precision},{type_.scale})"
        case Kind.ARRAY | Kind.MAP:
            return f"{type_.kind}<{','.join(map(hive_name, type_.items))}>"
        case Kind.ROW:
            fields = zip(type_.field_names, type_.items, strict=True)
            return f"struct<{','.join(f'{name}:{hive_name(item)}' for name, item in fields)}>"
    if type_.kind not in _HIVE:
        raise not_supported(f"a column of type {type_}")
    return _HIVE[type_.kind]


def arrow_type(type_: SqlType) -> pa.DataType:
    """The type of an Arrow or Parquet column.

    Raises:
        QueryError: NOT_SUPPORTED.
    """
    match type_.kind:
        case Kind.DECIMAL:
            return pa.decimal128(type_.precision, type_.scale)
        case Kind.ARRAY:
            return pa.list_(arrow_type(type_.items[0]))
        case Kind.MAP:
            return pa.map_(*map(arrow_type, type_.items))
        case Kind.ROW:
            names = zip(type_.field_names, type_.items, strict=True)
            return pa.struct([(name, arrow_type(item)) for name, item in names])
    if type_.kind not in _ARROW:
        raise not_supported(f"a column of type {type_}")
    return _ARROW[type_.kind]


def iceberg_arrow_type(type_: SqlType) -> pa.DataType:
    """The Arrow type from which an Iceberg column is made: Iceberg has no integers under 32 bits.

    Raises:
        QueryError: NOT_SUPPORTED.
    """
    if type_.kind in _NOT_IN_ICEBERG:
        raise not_supported(f"an Iceberg column of type {type_}")
    for item in type_.items:
        iceberg_arrow_type(item)
    return arrow_type(type_)
