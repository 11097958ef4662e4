"""Bringing a resource's tags to what is declared, for the services that tag by ARN."""

from __future__ import annotations

from local_stack.aws.cloudformation.resources.base import Call, tag_mapping


def retag(call: Call, service: str, arn: str, *, arn_key: str = "ResourceARN") -> None:
    """Update the tags of a resource through TagResource and UntagResource."""
    if not call.changed("Tags"):
        return
    client = call.client(service)
    before, after = (p.get("Tags", []) for p in (call.previous, call.properties))
    if gone := sorted(tag_mapping(before).keys() - tag_mapping(after).keys()):
        client.untag_resource(**{arn_key: arn}, TagKeys=gone)
    if after:
        client.tag_resource(**{arn_key: arn}, Tags=after)
