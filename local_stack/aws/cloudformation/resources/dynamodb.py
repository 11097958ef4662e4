"""DynamoDB tables."""

from __future__ import annotations

from typing import Any

from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring
from local_stack.aws.cloudformation.resources.tagging import retag


class Table(ResourceType):
    """AWS::DynamoDB::Table without indexes and streams."""

    type_name = "AWS::DynamoDB::Table"
    supported = frozenset(
        {
            "AttributeDefinitions",
            "BillingMode",
            "DeletionProtectionEnabled",
            "KeySchema",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "TableName",
            "Tags",
            "TimeToLiveSpecification",
        }
    )

    def create(self, call: Call) -> None:
        """Make the table, then what has operations of its own."""
        dynamodb = call.client("dynamodb")
        name = call.name("TableName", limit=255)
        own = ("PointInTimeRecoverySpecification", "SSESpecification", "TableName", "TimeToLiveSpecification")
        definition: dict[str, Any] = {k: v for k, v in call.properties.items() if k not in own}
        if "SSESpecification" in call.properties:
            definition["SSESpecification"] = _encryption(call.properties["SSESpecification"])
        made = dynamodb.create_table(TableName=name, **definition)["TableDescription"]
        call.physical_id = name
        call.attributes = {"Arn": made["TableArn"]}
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        self._configure(call)

    def update(self, call: Call) -> None:
        """Change billing, protection, encryption, expiry, recovery and tags."""
        dynamodb, name = call.client("dynamodb"), call.physical_id
        changed: dict[str, Any] = {
            key: call.properties[key]
            for key in ("BillingMode", "DeletionProtectionEnabled")
            if call.changed(key) and key in call.properties
        }
        if call.changed("SSESpecification"):
            changed["SSESpecification"] = _encryption(
                call.properties.get("SSESpecification", {"SSEEnabled": False})
            )
        if changed:
            dynamodb.update_table(TableName=name, **changed)
        self._configure(call)
        retag(call, "dynamodb", call.attributes["Arn"], arn_key="ResourceArn")

    def delete(self, call: Call) -> None:
        """Remove the table and its items."""
        ignoring(call.client("dynamodb"), "ResourceNotFoundException")(
            "delete_table", TableName=call.physical_id
        )

    def _configure(self, call: Call) -> None:
        dynamodb, name = call.client("dynamodb"), call.physical_id
        if call.changed("TimeToLiveSpecification"):
            before, after = (p.get("TimeToLiveSpecification") for p in (call.previous, call.properties))
            expiry = after or {**(before or {}), "Enabled": False}
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
        if call.changed("PointInTimeRecoverySpecification"):
            recovery = call.properties.get(
                "PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False}
            )
            dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)


def _encryption(declared: dict[str, Any]) -> dict[str, Any]:
    """The template says SSEEnabled where the API says Enabled."""
    return {("Enabled" if key == "SSEEnabled" else key): value for key, value in declared.items()}


TYPES: tuple[type[ResourceType], ...] = (Table,)
