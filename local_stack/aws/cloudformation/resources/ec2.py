"""The parts of a network."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring, tag_mapping


class _Ec2Type(ResourceType):
    """A resource that one operation makes, another removes, and whose tags alone may change.

    ``answer`` is the path to its description in the answer, ``id_field`` its id there.
    """

    create_operation: ClassVar[str]
    delete_operation: ClassVar[str]
    id_argument: ClassVar[str]
    answer: ClassVar[str]
    id_field: ClassVar[str]
    tagged_as: ClassVar[str]
    gone: ClassVar[str]

    def create(self, call: Call) -> None:
        """Make the resource, tagged from the start."""
        arguments = {k: v for k, v in call.properties.items() if k != "Tags"}
        arguments = self.arguments(arguments)
        if tags := call.properties.get("Tags"):
            arguments["TagSpecifications"] = [{"ResourceType": self.tagged_as, "Tags": tags}]
        answer = getattr(call.client("ec2"), self.create_operation)(**arguments)
        described = answer[self.answer] if self.answer else answer
        call.physical_id = described[self.id_field]
        call.attributes = {self.id_field: call.physical_id}
        self.finish(call)

    def arguments(self, declared: dict[str, Any]) -> dict[str, Any]:
        """The declared properties as the operation's arguments."""
        return declared

    def finish(self, call: Call) -> None:
        """What has operations of its own."""

    def update(self, call: Call) -> None:
        """Change the tags, and what has operations of its own."""
        ec2 = call.client("ec2")
        before, after = (p.get("Tags", []) for p in (call.previous, call.properties))
        gone = sorted(tag_mapping(before).keys() - tag_mapping(after).keys())
        if gone:
            ec2.delete_tags(Resources=[call.physical_id], Tags=[{"Key": key} for key in gone])
        if after:
            ec2.create_tags(Resources=[call.physical_id], Tags=after)
        self.finish(call)

    def delete(self, call: Call) -> None:
        """Remove it."""
        identity: Any = call.physical_id
        if self.id_argument.endswith("Ids"):
            identity = [identity]
        ignoring(call.client("ec2"), self.gone)(self.delete_operation, **{self.id_argument: identity})


class Vpc(_Ec2Type):
    """AWS::EC2::VPC."""

    type_name = "AWS::EC2::VPC"
    supported = frozenset({"CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "Tags"})
    create_operation, delete_operation = "create_vpc", "delete_vpc"
    id_argument, answer, id_field = "VpcId", "Vpc", "VpcId"
    tagged_as, gone = "vpc", "InvalidVpcID.NotFound"

    def arguments(self, declared: dict[str, Any]) -> dict[str, Any]:
        """DNS is set apart."""
        return {"CidrBlock": declared["CidrBlock"]}

    def finish(self, call: Call) -> None:
        """Set what DNS does."""
        for name, default in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
            value = {"Value": call.properties.get(name, default)}
            call.client("ec2").modify_vpc_attribute(VpcId=call.physical_id, **{name: value})


class InternetGateway(_Ec2Type):
    """AWS::EC2::InternetGateway."""

    type_name = "AWS::EC2::InternetGateway"
    supported = frozenset({"Tags"})
    create_operation, delete_operation = "create_internet_gateway", "delete_internet_gateway"
    id_argument, answer, id_field = "InternetGatewayId", "InternetGateway", "InternetGatewayId"
    tagged_as, gone = "internet-gateway", "InvalidInternetGatewayID.NotFound"


class Subnet(_Ec2Type):
    """AWS::EC2::Subnet."""

    type_name = "AWS::EC2::Subnet"
    supported = frozenset({"AvailabilityZone", "CidrBlock", "Tags", "VpcId"})
    create_operation, delete_operation = "create_subnet", "delete_subnet"
    id_argument, answer, id_field = "SubnetId", "Subnet", "SubnetId"
    tagged_as, gone = "subnet", "InvalidSubnetID.NotFound"


class RouteTable(_Ec2Type):
    """AWS::EC2::RouteTable."""

    type_name = "AWS::EC2::RouteTable"
    supported = frozenset({"Tags", "VpcId"})
    create_operation, delete_operation = "create_route_table", "delete_route_table"
    id_argument, answer, id_field = "RouteTableId", "RouteTable", "RouteTableId"
    tagged_as, gone = "route-table", "InvalidRouteTableID.NotFound"


class Eip(_Ec2Type):
    """AWS::EC2::EIP, whose physical id is the address itself."""

    type_name = "AWS::EC2::EIP"
    supported = frozenset({"Domain", "Tags"})
    create_operation, delete_operation = "allocate_address", "release_address"
    id_argument, answer, id_field = "PublicIp", "", "PublicIp"
    tagged_as, gone = "elastic-ip", "InvalidAllocationID.NotFound"

    def finish(self, call: Call) -> None:
        """Find out what else the address is called."""
        (address,) = call.client("ec2").describe_addresses(PublicIps=[call.physical_id])["Addresses"]
        call.attributes = {"AllocationId": address["AllocationId"], "PublicIp": call.physical_id}

    def delete(self, call: Call) -> None:
        """Release the address."""
        ignoring(call.client("ec2"), self.gone)(
            "release_address", AllocationId=call.attributes["AllocationId"]
        )


class NatGateway(_Ec2Type):
    """AWS::EC2::NatGateway."""

    type_name = "AWS::EC2::NatGateway"
    supported = frozenset({"AllocationId", "SubnetId", "Tags"})
    create_operation, delete_operation = "create_nat_gateway", "delete_nat_gateway"
    id_argument, answer, id_field = "NatGatewayId", "NatGateway", "NatGatewayId"
    tagged_as, gone = "natgateway", "NatGatewayNotFound"


class VpcEndpoint(_Ec2Type):
    """AWS::EC2::VPCEndpoint."""

    type_name = "AWS::EC2::VPCEndpoint"
    supported = frozenset({"RouteTableIds", "ServiceName", "Tags", "VpcEndpointType", "VpcId"})
    create_operation, delete_operation = "create_vpc_endpoint", "delete_vpc_endpoints"
    id_argument, answer, id_field = "VpcEndpointIds", "VpcEndpoint", "VpcEndpointId"
    tagged_as, gone = "vpc-endpoint", "InvalidVpcEndpointId.NotFound"


class SecurityGroup(_Ec2Type):
    """AWS::EC2::SecurityGroup, whose rules are resources of their own."""

    type_name = "AWS::EC2::SecurityGroup"
    supported = frozenset({"GroupDescription", "Tags", "VpcId"})
    create_operation, delete_operation = "create_security_group", "delete_security_group"
    id_argument, answer, id_field = "GroupId", "", "GroupId"
    tagged_as, gone = "security-group", "InvalidGroup.NotFound"

    def arguments(self, declared: dict[str, Any]) -> dict[str, Any]:
        """CloudFormation makes up the name."""
        name = f"clickstream-{secrets.token_hex(8)}"
        return {
            "GroupName": name,
            "Description": declared["GroupDescription"],
            "VpcId": declared["VpcId"],
        }


class _SecurityGroupRule(ResourceType):
    """A rule of a security group, between two groups."""

    direction: ClassVar[str]
    peer: ClassVar[str]

    def create(self, call: Call) -> None:
        """Add the rule."""
        ec2 = call.client("ec2")
        answer = getattr(ec2, f"authorize_security_group_{self.direction}")(
            GroupId=call.properties["GroupId"], IpPermissions=[self._permission(call)]
        )
        call.physical_id = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def delete(self, call: Call) -> None:
        """Take it away."""
        ignoring(call.client("ec2"), "InvalidGroup.NotFound", "InvalidPermission.NotFound")(
            f"revoke_security_group_{self.direction}",
            GroupId=call.properties["GroupId"],
            IpPermissions=[self._permission(call)],
        )

    def _permission(self, call: Call) -> dict[str, Any]:
        group = {"GroupId": call.properties[self.peer], "Description": call.properties["Description"]}
        wanted = ("IpProtocol", "FromPort", "ToPort")
        ports: dict[str, Any] = {name: call.properties[name] for name in wanted}
        return {**ports, "UserIdGroupPairs": [group]}


class SecurityGroupIngress(_SecurityGroupRule):
    """AWS::EC2::SecurityGroupIngress from another group."""

    type_name = "AWS::EC2::SecurityGroupIngress"
    direction, peer = "ingress", "SourceSecurityGroupId"
    supported = frozenset({"Description", "FromPort", "GroupId", "IpProtocol", "ToPort", peer})


class SecurityGroupEgress(_SecurityGroupRule):
    """AWS::EC2::SecurityGroupEgress to another group; it displaces the rule that lets all out."""

    type_name = "AWS::EC2::SecurityGroupEgress"
    direction, peer = "egress", "DestinationSecurityGroupId"
    supported = frozenset({"Description", "FromPort", "GroupId", "IpProtocol", "ToPort", peer})

    def create(self, call: Call) -> None:
        """Add the rule, without the default one."""
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ignoring(call.client("ec2"), "InvalidPermission.NotFound")(
            "revoke_security_group_egress",
            GroupId=call.properties["GroupId"],
            IpPermissions=[everything],
        )
        super().create(call)


class GatewayAttachment(ResourceType):
    """AWS::EC2::VPCGatewayAttachment of an internet gateway."""

    type_name = "AWS::EC2::VPCGatewayAttachment"
    supported = frozenset({"InternetGatewayId", "VpcId"})

    def create(self, call: Call) -> None:
        """Attach the gateway."""
        call.client("ec2").attach_internet_gateway(**call.properties)
        call.physical_id = f"IGW|{call.properties['VpcId']}"

    def delete(self, call: Call) -> None:
        """Detach it."""
        ignoring(call.client("ec2"), "Gateway.NotAttached", "InvalidInternetGatewayID.NotFound")(
            "detach_internet_gateway", **call.properties
        )


class Route(ResourceType):
    """AWS::EC2::Route of an IPv4 range."""

    type_name = "AWS::EC2::Route"
    supported = frozenset({"DestinationCidrBlock", "GatewayId", "NatGatewayId", "RouteTableId"})

    def create(self, call: Call) -> None:
        """Add the route."""
        call.client("ec2").create_route(**call.properties)
        call.physical_id = f"{call.properties['RouteTableId']}|{call.properties['DestinationCidrBlock']}"

    def update(self, call: Call) -> None:
        """Lead it elsewhere."""
        call.client("ec2").replace_route(**call.properties)

    def delete(self, call: Call) -> None:
        """Take it away."""
        ignoring(call.client("ec2"), "InvalidRoute.NotFound", "InvalidRouteTableID.NotFound")(
            "delete_route",
            RouteTableId=call.properties["RouteTableId"],
            DestinationCidrBlock=call.properties["DestinationCidrBlock"],
        )


class SubnetRouteTableAssociation(ResourceType):
    """AWS::EC2::SubnetRouteTableAssociation."""

    type_name = "AWS::EC2::SubnetRouteTableAssociation"
    supported = frozenset({"RouteTableId", "SubnetId"})

    def create(self, call: Call) -> None:
        """Give the subnet its route table."""
        call.physical_id = call.client("ec2").associate_route_table(**call.properties)["AssociationId"]
        call.attributes = {"Id": call.physical_id}

    def delete(self, call: Call) -> None:
        """Take it back."""
        ignoring(call.client("ec2"), "InvalidAssociationID.NotFound")(
            "disassociate_route_table", AssociationId=call.physical_id
        )


TYPES: tuple[type[ResourceType], ...] = (
    Eip,
    GatewayAttachment,
    InternetGateway,
    NatGateway,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupEgress,
    SecurityGroupIngress,
    Subnet,
    SubnetRouteTableAssociation,
    Vpc,
    VpcEndpoint,
)
