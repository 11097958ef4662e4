"""Type names: as written in SQL, in Glue (Hive's words), and in Iceberg schemas."""

from __future__ import annotations

import re

from pyiceberg import types as iceberg
from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.types import SqlType

_DEFAULT_TIMESTAMP = 3
_ICEBERG_TIMESTAMP = 6

_SIMPLE: dict[exp.DType, SqlType] = {
    exp.DType.BOOLEAN: types.BOOLEAN,
    exp.DType.TINYINT: types.TINYINT,
    exp.DType.SMALLINT: types.SMALLINT,
    exp.DType.INT: types.INTEGER,
    exp.DType.BIGINT: types.BIGINT,
    exp.DType.FLOAT: types.REAL,
    exp.DType.DOUBLE: types.DOUBLE,
    exp.DType.VARBINARY: types.VARBINARY,
    exp.DType.DATE: types.DATE,
}


def type_of(node: exp.Expr, position: Position | None) -> SqlType:
    """The type that a CAST names.

    Raises:
        QueryError: NOT_SUPPORTED, naming the type.
    """
    kind = node.this
    numbers = [int(part.name) for part in node.expressions if isinstance(part, exp.DataTypeParam)]
    if kind in _SIMPLE and not numbers:
        return _SIMPLE[kind]
    if kind is exp.DType.VARCHAR:
        return types.varchar(numbers[0] if numbers else None)
    if kind is exp.DType.DECIMAL:
        precision, scale = (*numbers, 0)[:2] if numbers else (types.MAX_PRECISION, 0)
        if not 1 <= precision <= types.MAX_PRECISION or not 0 <= scale <= precision:
            raise QueryError(
                "INVALID_FUNCTION_ARGUMENT", f"DECIMAL({precision},{scale}) is out of range", position
            )
        return types.decimal(precision, scale)
    if kind in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
        precision = numbers[0] if numbers else _DEFAULT_TIMESTAMP
        if precision > _ICEBERG_TIMESTAMP:
            raise not_supported(f"timestamp({precision})", position)
        return types.timestamp(precision) if kind is exp.DType.TIMESTAMP else types.timestamp_tz(precision)
    if kind is exp.DType.ARRAY and len(node.expressions) == 1:
        return types.array(type_of(node.expressions[0], position))
    if kind is exp.DType.MAP and len(node.expressions) == 2:
        key, value = (type_of(part, position) for part in node.expressions)
        return types.map_of(key, value)
    if kind is exp.DType.STRUCT:
        return _row(node, position)
    raise not_supported(f"the type {node.sql(dialect='trino')}", position)


def _row(node: exp.Expr, position: Position | None) -> SqlType:
    names: list[str | None] = []
    items: list[SqlType] = []
    for part in node.expressions:
        named = isinstance(part, exp.ColumnDef)
        names.append(part.name.lower() if named else None)
        items.append(type_of(part.args["kind"] if named else part, position))
    return types.row(tuple(names), tuple(items))


_HIVE = {
    "boolean": types.BOOLEAN,
    "tinyint": types.TINYINT,
    "smallint": types.SMALLINT,
    "int": types.INTEGER,
    "integer": types.INTEGER,
    "bigint": types.BIGINT,
    "float": types.REAL,
    "double": types.DOUBLE,
    "string": types.VARCHAR,
    "binary": types.VARBINARY,
    "date": types.DATE,
    "timestamp": types.timestamp(_DEFAULT_TIMESTAMP),
}
_HIVE_TOKEN = re.compile(r"\s*([A-Za-z_][\w]*|\d+|[<>(),:])")


def hive_type(written: str) -> SqlType:
    """A Glue column's type, such as ``struct<latitude:double,longitude:double>``.

    Raises:
        QueryError: NOT_SUPPORTED, naming a type that is not read.
    """
    tokens = _HIVE_TOKEN.findall(written)
    parsed, rest = _hive(tokens, written)
    if rest or "".join(tokens) != re.sub(r"\s", "", written):
        raise not_supported(f"the column type {written}")
    return parsed


def _hive(tokens: list[str], written: str) -> tuple[SqlType, list[str]]:
    name, rest = tokens[0].lower() if tokens else "", tokens[1:]
    if name in ("decimal", "varchar") and rest[:1] == ["("]:
        end = rest.index(")")
        numbers = [int(part) for part in rest[1:end] if part != ","]
        if name == "varchar":
            return types.varchar(numbers[0]), rest[end + 1 :]
        return types.decimal(numbers[0], (*numbers, 0)[1]), rest[end + 1 :]
    if name == "decimal":
        return types.decimal(10, 0), rest
    if name in ("array", "map", "struct") and rest[:1] == ["<"]:
        names: list[str | None] = []
        items: list[SqlType] = []
        while rest and rest[0] != ">":
            rest = rest[1:]
            if name == "struct":
                names.append(rest[0].lower())
                rest = rest[2:]
            item, rest = _hive(rest, written)
            items.append(item)
        if name == "struct":
            return types.row(tuple(names), tuple(items)), rest[1:]
        return (types.array(items[0]) if name == "array" else types.map_of(*items)), rest[1:]
    if name in _HIVE:
        return _HIVE[name], rest
    raise not_supported(f"the column type {written}")


_ICEBERG: dict[type[iceberg.IcebergType], SqlType] = {
    iceberg.BooleanType: types.BOOLEAN,
    iceberg.IntegerType: types.INTEGER,
    iceberg.LongType: types.BIGINT,
    iceberg.FloatType: types.REAL,
    iceberg.DoubleType: types.DOUBLE,
    iceberg.StringType: types.VARCHAR,
    iceberg.BinaryType: types.VARBINARY,
    iceberg.DateType: types.DATE,
    iceberg.TimestampType: types.timestamp(_ICEBERG_TIMESTAMP),
    iceberg.TimestamptzType: types.timestamp_tz(_ICEBERG_TIMESTAMP),
}


def from_iceberg(written: iceberg.IcebergType) -> SqlType:
    """A column's type in an Iceberg schema.

    Raises:
        QueryError: NOT_SUPPORTED, naming a type that is not read.
    """
    match written:
        case iceberg.DecimalType():
            return types.decimal(written.precision, written.scale)
        case iceberg.ListType():
            return types.array(from_iceberg(written.element_type))
        case iceberg.MapType():
            return types.map_of(from_iceberg(written.key_type), from_iceberg(written.value_type))
        case iceberg.StructType():
            names = tuple(field.name for field in written.fields)
            return types.row(names, tuple(from_iceberg(field.field_type) for field in written.fields))
    simple = _ICEBERG.get(type(written))
    if simple is None:
        raise not_supported(f"the Iceberg type {written}")
    return simple
