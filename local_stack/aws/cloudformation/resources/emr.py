"""EMR clusters and security configurations."""

from __future__ import annotations

import json
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from local_stack.aws.cloudformation.errors import ResourceError
from local_stack.aws.cloudformation.resources.base import (
    Call,
    ResourceType,
    ignoring,
    only,
    renamed,
    tag_mapping,
)

_START_SECONDS = 60
_STARTED = ("RUNNING", "WAITING")
_GROUPS = {"MasterInstanceGroup": "MASTER", "CoreInstanceGroup": "CORE"}
_GROUP_FIELDS = ("InstanceCount", "InstanceType", "Market", "Name")
_INSTANCE_FIELDS = (
    *_GROUPS,
    "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups",
    "Ec2SubnetId",
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "KeepJobFlowAliveWhenNoSteps",
    "ServiceAccessSecurityGroup",
    "TaskInstanceGroups",
    "TerminationProtected",
)
_CHANGEABLE = {"AutoTerminationPolicy", "ManagedScalingPolicy", "StepConcurrencyLevel", "Tags"}


def configurations(declared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Classifications in the API's form: ConfigurationProperties is called Properties there."""
    names = {
        "Classification": "Classification",
        "ConfigurationProperties": "Properties",
        "Configurations": "Configurations",
    }
    translated = [renamed(item, names, "a configuration") for item in declared]
    for item in translated:
        if "Configurations" in item:
            item["Configurations"] = configurations(item["Configurations"])
    return translated


def instances(declared: dict[str, Any]) -> dict[str, Any]:
    """The machines in the API's form: groups as one list, each with its role."""
    rest = only(declared, _INSTANCE_FIELDS, "a cluster's instances")
    groups = [
        {**only(rest.pop(key), _GROUP_FIELDS, key), "InstanceRole": role}
        for key, role in _GROUPS.items()
        if key in rest
    ]
    groups += [
        {**only(group, _GROUP_FIELDS, "TaskInstanceGroups"), "InstanceRole": "TASK"}
        for group in rest.pop("TaskInstanceGroups", ())
    ]
    return {**rest, "InstanceGroups": groups}


class Cluster(ResourceType):
    """AWS::EMR::Cluster of instance groups."""

    type_name = "AWS::EMR::Cluster"
    supported = frozenset(
        {
            "Applications",
            "AutoTerminationPolicy",
            "BootstrapActions",
            "Configurations",
            "Instances",
            "JobFlowRole",
            "LogUri",
            "ManagedScalingPolicy",
            "Name",
            "ReleaseLabel",
            "SecurityConfiguration",
            "ServiceRole",
            "StepConcurrencyLevel",
            "Tags",
            "VisibleToAllUsers",
        }
    )

    def create(self, call: Call) -> None:
        """Start the cluster and wait until it takes steps."""
        emr = call.client("emr")
        request = {**call.properties, "Instances": instances(call.properties["Instances"])}
        if "Configurations" in request:
            request["Configurations"] = configurations(request["Configurations"])
        cluster_id = emr.run_job_flow(**request)["JobFlowId"]
        call.physical_id = cluster_id

        def state() -> str:
            return str(emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])

        waiting = Retrying(
            retry=retry_if_result(lambda now: now in ("STARTING", "BOOTSTRAPPING")),
            wait=wait_fixed(0.1),
            stop=stop_after_delay(_START_SECONDS),
        )
        reached = waiting(state)
        if reached not in _STARTED:
            raise ResourceError(f"Cluster {cluster_id} did not start: it is {reached}")
        described = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        call.attributes = {"Id": cluster_id, "MasterPublicDNS": described.get("MasterPublicDnsName", "")}

    def update(self, call: Call) -> None:
        """Change step concurrency, auto-termination and tags."""
        emr, cluster_id = call.client("emr"), call.physical_id
        changed = {name for name in {*call.properties, *call.previous} if call.changed(name)}
        if fixed := sorted(changed - _CHANGEABLE):
            raise ResourceError(f"The emulation cannot update {', '.join(fixed)} of {self.type_name}")
        if "StepConcurrencyLevel" in changed:
            level = call.properties.get("StepConcurrencyLevel", 1)
            emr.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=level)
        if "AutoTerminationPolicy" in changed:
            policy = call.properties.get("AutoTerminationPolicy")
            if policy:
                emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy=policy)
            else:
                emr.remove_auto_termination_policy(ClusterId=cluster_id)
        if "ManagedScalingPolicy" in changed:
            policy = call.properties.get("ManagedScalingPolicy")
            if policy:
                emr.put_managed_scaling_policy(ClusterId=cluster_id, ManagedScalingPolicy=policy)
            else:
                emr.remove_managed_scaling_policy(ClusterId=cluster_id)
        if "Tags" in changed:
            before, after = (p.get("Tags", []) for p in (call.previous, call.properties))
            if gone := sorted(tag_mapping(before).keys() - tag_mapping(after).keys()):
                emr.remove_tags(ResourceId=cluster_id, TagKeys=gone)
            if after:
                emr.add_tags(ResourceId=cluster_id, Tags=after)

    def delete(self, call: Call) -> None:
        """Terminate the cluster."""
        call.client("emr").terminate_job_flows(JobFlowIds=[call.physical_id])


class SecurityConfiguration(ResourceType):
    """AWS::EMR::SecurityConfiguration."""

    type_name = "AWS::EMR::SecurityConfiguration"
    supported = frozenset({"Name", "SecurityConfiguration"})

    def create(self, call: Call) -> None:
        """Save the configuration as JSON."""
        name = call.name("Name")
        document = json.dumps(call.properties["SecurityConfiguration"])
        call.client("emr").create_security_configuration(Name=name, SecurityConfiguration=document)
        call.physical_id = name

    def delete(self, call: Call) -> None:
        """Remove it."""
        ignoring(call.client("emr"), "ResourceNotFoundException", "InvalidRequestException")(
            "delete_security_configuration", Name=call.physical_id
        )


TYPES: tuple[type[ResourceType], ...] = (Cluster, SecurityConfiguration)
