"""The WITH clause of CREATE TABLE AS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.interface import Request

_COMPRESSIONS = {"SNAPPY", "GZIP", "ZSTD", "UNCOMPRESSED", "NONE"}


@dataclass(frozen=True)
class TableProperties:
    """How a new table is kept. ``location`` ends with a slash; ``partitioning`` as it is written."""

    is_iceberg: bool
    location: str
    partitioning: tuple[str, ...]
    compression: str
    with_data: bool


def read_properties(request: Request, node: exp.Expr | None) -> TableProperties:
    """Read the clause.

    Raises:
        QueryError: INVALID_TABLE_PROPERTY, or NOT_SUPPORTED for one that is not honoured.
    """
    given, with_data = _as_dictionary(node)
    table_type = str(given.pop("table_type", "HIVE")).upper()
    if table_type not in ("HIVE", "ICEBERG"):
        raise QueryError("INVALID_TABLE_PROPERTY", f"Unknown table_type {table_type}", Position(1, 1))
    is_iceberg = table_type == "ICEBERG"
    file_format = str(given.pop("format", "PARQUET")).upper()
    if file_format != "PARQUET":
        raise not_supported(f"the format {file_format}", Position(1, 1))
    if given.pop("is_external", False) and is_iceberg:
        raise QueryError("INVALID_TABLE_PROPERTY", "Iceberg tables need is_external = false", Position(1, 1))
    compression = str(given.pop("write_compression", given.pop("parquet_compression", "SNAPPY"))).upper()
    if compression not in _COMPRESSIONS:
        raise not_supported(f"the compression {compression}", Position(1, 1))
    location = given.pop("location" if is_iceberg else "external_location", None)
    partitioning = given.pop("partitioning" if is_iceberg else "partitioned_by", [])
    if given:
        raise not_supported(f"the table property {sorted(given)[0]}", Position(1, 1))
    default = f"{request.tables_location.rstrip('/')}/{request.query_id}"
    return TableProperties(
        is_iceberg=is_iceberg,
        location=str(location or default).rstrip("/") + "/",
        partitioning=tuple(str(part) for part in partitioning),
        compression="NONE" if compression == "UNCOMPRESSED" else compression,
        with_data=with_data,
    )


def _as_dictionary(node: exp.Expr | None) -> tuple[dict[str, Any], bool]:
    """Properties by name, and whether the rows are wanted (WITH NO DATA)."""
    values: dict[str, Any] = {}
    with_data = True
    for entry in node.expressions if node else []:
        match entry:
            case exp.WithDataProperty():
                with_data = not entry.args.get("no")
            case exp.LocationProperty():
                values["location"] = entry.name
            case exp.FileFormatProperty():
                values["format"] = entry.name
            case exp.PartitionedByProperty():
                values["partitioned_by"] = _value(entry.this)
            case exp.Property() if entry.args.get("value") is not None:
                values[entry.name.lower()] = _value(entry.args["value"])
            case _:
                raise not_supported(f"the table property {type(entry).__name__}", Position(1, 1))
    return values, with_data


def _value(node: exp.Expr) -> Any:
    if isinstance(node, exp.Array | exp.Schema | exp.Tuple):
        return [part.name for part in node.expressions]
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    return node.name
