"""The optional network in the emulation: made, and gone without a trace."""

from __future__ import annotations

import pytest

from ops.deployment.planning import TEMPLATES
from tests.support.accounts import new_account
from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws


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
    dns = ec2.describe_vpc_attribute(VpcId=outputs["VpcId"], Attribute="enableDnsHostnames")
    assert dns["EnableDnsHostnames"]["Value"] is True

    cloudformation.delete_stack(StackName="network")
    (stack,) = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    assert {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]} == before
    assert ec2.describe_addresses()["Addresses"] == []
