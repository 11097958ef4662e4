"""Glue databases and tables."""

from __future__ import annotations

from typing import Any

from local_stack.aws.cloudformation.errors import ResourceError
from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring


def _catalog(call: Call) -> None:
    if call.properties.get("CatalogId") != call.account_id:
        raise ResourceError("The emulation has no Glue catalog but the account's own (CatalogId)")


class Database(ResourceType):
    """AWS::Glue::Database."""

    type_name = "AWS::Glue::Database"
    supported = frozenset({"CatalogId", "DatabaseInput"})

    def create(self, call: Call) -> None:
        """Make the database."""
        _catalog(call)
        given: dict[str, Any] = call.properties["DatabaseInput"]
        name = given.get("Name") or call.name("", lower=True).replace("-", "_")
        call.client("glue").create_database(DatabaseInput={**given, "Name": name})
        call.physical_id = name

    def update(self, call: Call) -> None:
        """Change its description, location or parameters."""
        given = {**call.properties["DatabaseInput"], "Name": call.physical_id}
        call.client("glue").update_database(Name=call.physical_id, DatabaseInput=given)

    def delete(self, call: Call) -> None:
        """Remove it with the tables that it holds, as Glue does."""
        ignoring(call.client("glue"), "EntityNotFoundException")("delete_database", Name=call.physical_id)


class Table(ResourceType):
    """AWS::Glue::Table."""

    type_name = "AWS::Glue::Table"
    supported = frozenset({"CatalogId", "DatabaseName", "TableInput"})

    def create(self, call: Call) -> None:
        """Make the table."""
        _catalog(call)
        given: dict[str, Any] = call.properties["TableInput"]
        name = given.get("Name") or call.name("", lower=True).replace("-", "_")
        call.client("glue").create_table(
            DatabaseName=call.properties["DatabaseName"], TableInput={**given, "Name": name}
        )
        call.physical_id = name

    def update(self, call: Call) -> None:
        """Replace the table's definition."""
        given = {**call.properties["TableInput"], "Name": call.physical_id}
        call.client("glue").update_table(DatabaseName=call.properties["DatabaseName"], TableInput=given)

    def delete(self, call: Call) -> None:
        """Remove the table from the catalog; its data stays."""
        ignoring(call.client("glue"), "EntityNotFoundException")(
            "delete_table", DatabaseName=call.properties["DatabaseName"], Name=call.physical_id
        )


TYPES: tuple[type[ResourceType], ...] = (Database, Table)
