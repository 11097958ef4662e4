"""The optional network in the emulation: made, and gone without a trace."""

from __future__ import annotations

from typing import Any

import pytest

from ops.deployment.planning import TEMPLATES
from tests.support.accounts import new_account
from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws


def allowed(permissions: list[dict[str, Any]]) -> set[tuple[str, int, int, str]]:
    """Protocol, ports and group of every rule; no rule may name addresses."""
    assert not [each for each in permissions if each["IpRanges"] or each["Ipv6Ranges"]]
    return {
        (each["IpProtocol"], each["FromPort"], each["ToPort"], peer["GroupId"])
        for each in permissions
        for peer in each["UserIdGroupPairs"]
    }


def test_machines_reach_s3_by_the_endpoint_and_the_world_by_nat(emulated_aws: EmulatedAws) -> None:
    account = new_account(emulated_aws)
    cloudformation, ec2 = account.client("cloudformation"), account.client("ec2")
    before = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}
    template = (TEMPLATES / "network.yaml").read_text()
    stack_id = cloudformation.create_stack(StackName="network", TemplateBody=template)["StackId"]
    (stack,) = cloudformation.describe_stacks(StackName="network")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    (subnet,) = ec2.describe_subnets(SubnetIds=[outputs["SubnetId"]])["Subnets"]
    assert (subnet["VpcId"], subnet["CidrBlock"]) == (outputs["VpcId"], "10.42.16.0/20")
    tags = {tag["Key"]: tag["Value"] for tag in subnet["Tags"]}
    assert tags["for-use-with-amazon-emr-managed-policies"] == "true"
    (routes,) = ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    )["RouteTables"]
    to_the_world = [r for r in routes["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"]
    assert [route["NatGatewayId"][:4] for route in to_the_world] == ["nat-"]
    (endpoint,) = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [outputs["VpcId"]]}])[
        "VpcEndpoints"
    ]
    assert endpoint["ServiceName"] == "com.amazonaws.eu-north-1.s3"
    assert endpoint["RouteTableIds"] == [routes["RouteTableId"]]
    groups = outputs["SecurityGroups"].split(",")
    primary, core, service = (
        next(
            each
            for each in ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
            if each["GroupId"] == group
        )
        for group in groups
    )
    everything = {("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)}
    among_machines = {(*ports, peer) for ports in everything for peer in groups[:2]}
    for machines in (primary, core):
        assert allowed(machines["IpPermissions"]) == among_machines | {("tcp", 8443, 8443, groups[2])}
        assert {tag["Key"] for tag in machines["Tags"]} >= {"for-use-with-amazon-emr-managed-policies"}
    assert allowed(service["IpPermissions"]) == {("tcp", 9443, 9443, groups[0])}
    assert allowed(service["IpPermissionsEgress"]) == {("tcp", 8443, 8443, peer) for peer in groups[:2]}
    dns = ec2.describe_vpc_attribute(VpcId=outputs["VpcId"], Attribute="enableDnsHostnames")
    assert dns["EnableDnsHostnames"]["Value"] is True

    cloudformation.delete_stack(StackName="network")
    (stack,) = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    assert {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]} == before
    assert ec2.describe_addresses()["Addresses"] == []
