"""The resource types that the emulation can make, change and remove."""

from __future__ import annotations

from local_stack.aws.cloudformation.resources import (
    athena,
    dynamodb,
    ec2,
    emr,
    glue,
    iam,
    logs,
    monitoring,
    s3,
    streaming,
)
from local_stack.aws.cloudformation.resources.base import ResourceType

REGISTRY: dict[str, ResourceType] = {
    resource_type.type_name: resource_type()
    for module in (athena, dynamodb, ec2, emr, glue, iam, logs, monitoring, s3, streaming)
    for resource_type in module.TYPES
}
"""Every emulated type by its CloudFormation name."""
