"""Athena workgroups and named queries."""

from __future__ import annotations

from typing import Any

from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring, only
from local_stack.aws.cloudformation.resources.tagging import retag

_CONFIGURATION = (
    "BytesScannedCutoffPerQuery",
    "EnforceWorkGroupConfiguration",
    "EngineVersion",
    "PublishCloudWatchMetricsEnabled",
    "ResultConfiguration",
)


class WorkGroup(ResourceType):
    """AWS::Athena::WorkGroup."""

    type_name = "AWS::Athena::WorkGroup"
    supported = frozenset(
        {"Description", "Name", "RecursiveDeleteOption", "State", "Tags", "WorkGroupConfiguration"}
    )

    def create(self, call: Call) -> None:
        """Make the workgroup."""
        athena, properties = call.client("athena"), call.properties
        name = call.name("Name", limit=128)
        athena.create_work_group(
            Name=name,
            Configuration=only(properties.get("WorkGroupConfiguration", {}), _CONFIGURATION, self.type_name),
            Description=properties.get("Description", ""),
            Tags=properties.get("Tags", []),
        )
        call.physical_id = name
        if properties.get("State", "ENABLED") != "ENABLED":
            athena.update_work_group(WorkGroup=name, State=properties["State"])

    def update(self, call: Call) -> None:
        """Change description, state, configuration and tags."""
        athena, properties, name = call.client("athena"), call.properties, call.physical_id
        configuration = only(properties.get("WorkGroupConfiguration", {}), _CONFIGURATION, self.type_name)
        updates: dict[str, Any] = {k: v for k, v in configuration.items() if k != "ResultConfiguration"}
        if "ResultConfiguration" in configuration:
            updates["ResultConfigurationUpdates"] = configuration["ResultConfiguration"]
        if "BytesScannedCutoffPerQuery" not in configuration:
            updates["RemoveBytesScannedCutoffPerQuery"] = True
        athena.update_work_group(
            WorkGroup=name,
            Description=properties.get("Description", ""),
            State=properties.get("State", "ENABLED"),
            ConfigurationUpdates=updates,
        )
        retag(call, "athena", call.arn("athena", f"workgroup/{name}"))

    def delete(self, call: Call) -> None:
        """Remove it, with its queries if RecursiveDeleteOption says so."""
        ignoring(call.client("athena"), "InvalidRequestException")(
            "delete_work_group",
            WorkGroup=call.physical_id,
            RecursiveDeleteOption=call.properties.get("RecursiveDeleteOption", False),
        )


class NamedQuery(ResourceType):
    """AWS::Athena::NamedQuery."""

    type_name = "AWS::Athena::NamedQuery"
    supported = frozenset({"Database", "Description", "Name", "QueryString", "WorkGroup"})

    def create(self, call: Call) -> None:
        """Save the query under a generated id."""
        made = call.client("athena").create_named_query(
            **{**call.properties, "Name": call.name("Name", limit=128)}
        )
        call.physical_id = made["NamedQueryId"]
        call.attributes = {"NamedQueryId": call.physical_id}

    def delete(self, call: Call) -> None:
        """Forget the query."""
        ignoring(call.client("athena"), "InvalidRequestException")(
            "delete_named_query", NamedQueryId=call.physical_id
        )


TYPES: tuple[type[ResourceType], ...] = (WorkGroup, NamedQuery)
