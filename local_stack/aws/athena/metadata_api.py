"""The API of data catalogs, databases and tables: Glue's, as Athena shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from moto.athena.responses import AthenaResponse

from local_stack.aws.athena.engine.catalog import CATALOG, Catalog, GlueColumn, GlueTable
from local_stack.aws.athena.errors import InvalidRequestError, MetadataError
from local_stack.aws.athena.paging import page

MAX_LISTED = 50
_SHOWN_NAME = "AwsDataCatalog"


def _catalog(response: AthenaResponse, name: str) -> Catalog:
    if name.lower() != CATALOG:
        raise MetadataError(f"Catalog {name} is not found")
    backend = response.athena_backend
    return Catalog(backend.account_id, backend.region_name)


def list_data_catalogs(response: AthenaResponse) -> str:
    """ListDataCatalogs: Glue's, and those that were created."""
    catalogs = [{"CatalogName": _SHOWN_NAME, "Type": "GLUE"}, *response.athena_backend.list_data_catalogs()]
    return json.dumps(page("DataCatalogsSummary", catalogs, json.loads(response.body or "{}"), MAX_LISTED))


def get_data_catalog(response: AthenaResponse) -> str:
    """GetDataCatalog."""
    name, backend = json.loads(response.body)["Name"], response.athena_backend
    if name.lower() == CATALOG:
        glue = {"Name": _SHOWN_NAME, "Type": "GLUE", "Parameters": {"catalog-id": backend.account_id}}
        return json.dumps({"DataCatalog": glue})
    found = backend.get_data_catalog(name)
    if found is None:
        raise InvalidRequestError(f"Data catalog {name} was not found")
    return json.dumps({"DataCatalog": found})


def list_databases(response: AthenaResponse) -> str:
    """ListDatabases."""
    request = json.loads(response.body)
    catalog = _catalog(response, request["CatalogName"])
    found = [_database(catalog, name) for name in catalog.databases()]
    return json.dumps(page("DatabaseList", found, request, MAX_LISTED))


def get_database(response: AthenaResponse) -> str:
    """GetDatabase."""
    request = json.loads(response.body)
    catalog, name = _catalog(response, request["CatalogName"]), request["DatabaseName"].lower()
    if not catalog.has_database(name):
        raise MetadataError(f"Database {name} not found")
    return json.dumps({"Database": _database(catalog, name)})


def _database(catalog: Catalog, name: str) -> dict[str, Any]:
    raw = catalog.backend.get_database(name).as_dict()
    shown = {"Name": name, "Description": raw.get("Description"), "Parameters": raw.get("Parameters")}
    return {key: value for key, value in shown.items() if value is not None}


def list_table_metadata(response: AthenaResponse) -> str:
    """ListTableMetadata: of a database, those whose names match a pattern."""
    request = json.loads(response.body)
    catalog, name = _catalog(response, request["CatalogName"]), request["DatabaseName"].lower()
    if not catalog.has_database(name):
        raise MetadataError(f"Database {name} not found")
    pattern = re.compile(request.get("Expression") or ".*")
    found = [_table(table) for table in catalog.tables(name) if pattern.fullmatch(table.name)]
    return json.dumps(page("TableMetadataList", found, request, MAX_LISTED))


def get_table_metadata(response: AthenaResponse) -> str:
    """GetTableMetadata."""
    request = json.loads(response.body)
    catalog = _catalog(response, request["CatalogName"])
    table = catalog.table(request["DatabaseName"].lower(), request["TableName"].lower())
    if table is None:
        raise MetadataError(f"Table {request['TableName']} not found in database {request['DatabaseName']}")
    return json.dumps({"TableMetadata": _table(table)})


def _table(table: GlueTable) -> dict[str, Any]:
    storage = table.raw.get("StorageDescriptor") or {}
    details = {
        "location": table.location,
        "inputformat": storage.get("InputFormat"),
        "outputformat": storage.get("OutputFormat"),
        "serde.serialization.lib": table.serde,
    }
    return {
        "Name": table.name,
        "CreateTime": table.raw["CreateTime"],
        "TableType": table.table_type,
        "Columns": [_column(column) for column in table.columns],
        "PartitionKeys": [_column(column) for column in table.partition_keys],
        "Parameters": {**table.parameters, **{name: value for name, value in details.items() if value}},
    }


def _column(column: GlueColumn) -> dict[str, str]:
    described = {"Name": column.name, "Type": column.type, "Comment": column.comment}
    return {name: value for name, value in described.items() if value}


OPERATIONS: dict[str, Callable[[AthenaResponse], str]] = {
    function.__name__: function
    for function in (
        list_data_catalogs,
        get_data_catalog,
        list_databases,
        get_database,
        list_table_metadata,
        get_table_metadata,
    )
}
