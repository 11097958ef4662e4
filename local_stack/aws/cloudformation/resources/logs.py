"""CloudWatch log groups and log streams."""

from __future__ import annotations

from typing import Any

from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring, tag_mapping


class LogGroup(ResourceType):
    """AWS::Logs::LogGroup."""

    type_name = "AWS::Logs::LogGroup"
    supported = frozenset({"LogGroupName", "RetentionInDays", "Tags"})

    def create(self, call: Call) -> None:
        """Make the group."""
        logs, name = call.client("logs"), call.name("LogGroupName", limit=512)
        tags = tag_mapping(call.properties.get("Tags", ()))
        logs.create_log_group(logGroupName=name, **({"tags": tags} if tags else {}))
        call.physical_id = name
        call.attributes = {"Arn": f"{call.arn('logs', f'log-group:{name}')}:*"}
        self._retain(call)

    def update(self, call: Call) -> None:
        """Change retention and tags."""
        self._retain(call)
        if call.changed("Tags"):
            logs, arn = call.client("logs"), call.attributes["Arn"].removesuffix(":*")
            before, after = (tag_mapping(p.get("Tags", ())) for p in (call.previous, call.properties))
            if gone := sorted(before.keys() - after.keys()):
                logs.untag_resource(resourceArn=arn, tagKeys=gone)
            if after:
                logs.tag_resource(resourceArn=arn, tags=after)

    readable = frozenset({"RetentionInDays"})

    def read(self, call: Call) -> dict[str, Any] | None:
        """The retention."""
        groups = call.client("logs").describe_log_groups(logGroupNamePrefix=call.physical_id)["logGroups"]
        for group in groups:
            if group["logGroupName"] == call.physical_id:
                return {"RetentionInDays": group.get("retentionInDays")}
        return None

    def delete(self, call: Call) -> None:
        """Remove the group with its logs."""
        ignoring(call.client("logs"), "ResourceNotFoundException")(
            "delete_log_group", logGroupName=call.physical_id
        )

    def _retain(self, call: Call) -> None:
        logs, days = call.client("logs"), call.properties.get("RetentionInDays")
        if days:
            logs.put_retention_policy(logGroupName=call.physical_id, retentionInDays=days)
        elif call.previous.get("RetentionInDays"):
            logs.delete_retention_policy(logGroupName=call.physical_id)


class LogStream(ResourceType):
    """AWS::Logs::LogStream."""

    type_name = "AWS::Logs::LogStream"
    supported = frozenset({"LogGroupName", "LogStreamName"})

    def create(self, call: Call) -> None:
        """Make the stream in its group."""
        name = call.name("LogStreamName", limit=512)
        group = call.properties["LogGroupName"]
        call.client("logs").create_log_stream(logGroupName=group, logStreamName=name)
        call.physical_id = name

    def delete(self, call: Call) -> None:
        """Remove the stream with its logs."""
        ignoring(call.client("logs"), "ResourceNotFoundException")(
            "delete_log_stream",
            logGroupName=call.properties["LogGroupName"],
            logStreamName=call.physical_id,
        )


TYPES: tuple[type[ResourceType], ...] = (LogGroup, LogStream)
