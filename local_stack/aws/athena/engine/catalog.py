"""The Glue catalog of one account and region, as the engine reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.glue.models import glue_backends

from local_stack.aws.iam.accesses import glue_arns
from local_stack.aws.iam.check import require
from local_stack.aws.iam.policies import Access

CATALOG = "awsdatacatalog"
_VIEW_MARK = "/* Presto View: "


@dataclass(frozen=True)
class GlueColumn:
    """A column as Glue stores it; ``type`` is in Hive's words."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True)
class GluePartition:
    """A registered partition: the values of the partition keys, and its folder."""

    values: tuple[str, ...]
    location: str


@dataclass(frozen=True)
class GlueTable:
    """A table or view of the catalog."""

    database: str
    name: str
    columns: tuple[GlueColumn, ...]
    partition_keys: tuple[GlueColumn, ...]
    location: str
    serde: str
    table_type: str
    parameters: Mapping[str, str]
    view_text: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_iceberg(self) -> bool:
        """Whether Iceberg's metadata says what the table holds."""
        return self.parameters.get("table_type", "").upper() == "ICEBERG"

    @property
    def is_view(self) -> bool:
        """Whether it is a view."""
        return self.table_type == "VIRTUAL_VIEW"

    @property
    def is_parquet(self) -> bool:
        """Whether its files are Parquet."""
        return "parquet" in self.serde.lower()

    @property
    def view_definition(self) -> dict[str, Any]:
        """A view's query and its schema, as Athena encodes them."""
        encoded = self.view_text.removeprefix(_VIEW_MARK).removesuffix(" */")
        definition: dict[str, Any] = json.loads(base64.b64decode(encoded))
        return definition


def encode_view(definition: dict[str, Any]) -> str:
    """The text under which Glue keeps a view."""
    return f"{_VIEW_MARK}{base64.b64encode(json.dumps(definition).encode()).decode()} */"


class Catalog:
    """Databases, tables and partitions, as far as Glue lets the query's caller.

    Every method raises AccessDeniedError where it does not.
    """

    def __init__(self, account_id: str, region: str) -> None:
        self.account_id = account_id
        self.region = region

    @property
    def backend(self) -> Any:
        """moto's Glue; ask ``require`` first."""
        return glue_backends[self.account_id][self.region]

    def require(self, operation: str, database: str, table: str = "") -> None:
        """Want the caller to be allowed a Glue operation; ``*`` stands for all databases or tables."""
        arns = glue_arns(self.account_id, self.region, database, table)
        require(*(Access(f"glue:{operation}", arn) for arn in arns))

    def databases(self) -> list[str]:
        """Names of the databases, sorted."""
        self.require("GetDatabases", "*")
        return sorted(database.name for database in self.backend.get_databases())

    def has_database(self, name: str) -> bool:
        """Whether the database exists."""
        self.require("GetDatabase", name)
        return name in self.backend.databases

    def tables(self, database: str) -> list[GlueTable]:
        """A database's tables and views, by name."""
        if not self.has_database(database):
            return []
        self.require("GetTables", database, "*")
        found = [_table(database, table.as_dict()) for table in self.backend.get_tables(database, None)]
        return sorted(found, key=lambda table: table.name)

    def table(self, database: str, name: str) -> GlueTable | None:
        """One table, None if there is none."""
        self.require("GetTable", database, name)
        try:
            return _table(database, self.backend.get_table(database, name).as_dict())
        except JsonRESTError:
            return None

    def partitions(self, table: GlueTable) -> list[GluePartition]:
        """The registered partitions."""
        self.require("GetPartitions", table.database, table.name)
        found = [
            partition.as_dict()
            for partition in self.backend.get_table(table.database, table.name).partitions.values()
        ]
        return [
            GluePartition(
                tuple(map(str, each["Values"])), (each.get("StorageDescriptor") or {}).get("Location") or ""
            )
            for each in found
        ]


def _table(database: str, raw: dict[str, Any]) -> GlueTable:
    storage = raw.get("StorageDescriptor") or {}
    return GlueTable(
        database=database,
        name=raw["Name"],
        columns=_columns(storage.get("Columns")),
        partition_keys=_columns(raw.get("PartitionKeys")),
        location=storage.get("Location") or "",
        serde=(storage.get("SerdeInfo") or {}).get("SerializationLibrary") or "",
        table_type=raw.get("TableType") or "",
        parameters=raw.get("Parameters") or {},
        view_text=raw.get("ViewOriginalText") or "",
        raw=raw,
    )


def _columns(raw: list[dict[str, Any]] | None) -> tuple[GlueColumn, ...]:
    return tuple(
        GlueColumn(column["Name"].lower(), column.get("Type") or "string", column.get("Comment") or "")
        for column in raw or []
    )
