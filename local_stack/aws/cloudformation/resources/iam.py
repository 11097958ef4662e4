"""IAM roles and instance profiles."""

from __future__ import annotations

import json
from typing import Any

from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring, tag_mapping

_GONE = "NoSuchEntity"


class Role(ResourceType):
    """AWS::IAM::Role."""

    type_name = "AWS::IAM::Role"
    supported = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "Policies",
            "RoleName",
            "Tags",
        }
    )

    def create(self, call: Call) -> None:
        """Make the role with its inline and managed policies."""
        iam, properties = call.client("iam"), call.properties
        name = call.name("RoleName")
        arguments = {
            key: properties[key]
            for key in ("Description", "MaxSessionDuration", "Path", "Tags")
            if key in properties
        }
        trust = json.dumps(properties["AssumeRolePolicyDocument"])
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **arguments)["Role"]
        call.physical_id = name
        call.attributes = {"Arn": role["Arn"], "RoleId": role["RoleId"]}
        self._grant(call)

    def update(self, call: Call) -> None:
        """Change trust, description, session length, policies and tags."""
        iam, properties, name = call.client("iam"), call.properties, call.physical_id
        if call.changed("AssumeRolePolicyDocument"):
            trust = json.dumps(properties["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
        if call.changed("Description") or call.changed("MaxSessionDuration"):
            iam.update_role(
                RoleName=name,
                Description=properties.get("Description", ""),
                MaxSessionDuration=properties.get("MaxSessionDuration", 3600),
            )
        if call.changed("Tags"):
            before, after = (p.get("Tags", []) for p in (call.previous, properties))
            if gone := sorted(tag_mapping(before).keys() - tag_mapping(after).keys()):
                iam.untag_role(RoleName=name, TagKeys=gone)
            if after:
                iam.tag_role(RoleName=name, Tags=after)
        self._grant(call)

    readable = frozenset({"AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "Policies"})

    def read(self, call: Call) -> dict[str, Any] | None:
        """Trust, description and policies."""
        iam, name = call.client("iam"), call.physical_id
        try:
            role = iam.get_role(RoleName=name)["Role"]
        except iam.exceptions.NoSuchEntityException:
            return None
        declared = list(_inline(call.properties))
        present = iam.list_role_policies(RoleName=name)["PolicyNames"]
        # In the order of the template, which has no meaning.
        ordered = [each for each in declared if each in present]
        ordered += [each for each in present if each not in declared]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        return {
            "AssumeRolePolicyDocument": role["AssumeRolePolicyDocument"],
            "Description": role.get("Description"),
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
            "Policies": [
                {
                    "PolicyName": each,
                    "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"],
                }
                for each in ordered
            ],
        }

    def delete(self, call: Call) -> None:
        """Take the policies away, then the role."""
        iam, name = call.client("iam"), call.physical_id
        gently = ignoring(iam, _GONE)
        for policy in call.properties.get("Policies", ()):
            gently("delete_role_policy", RoleName=name, PolicyName=policy["PolicyName"])
        for arn in call.properties.get("ManagedPolicyArns", ()):
            gently("detach_role_policy", RoleName=name, PolicyArn=arn)
        gently("delete_role", RoleName=name)

    def _grant(self, call: Call) -> None:
        iam, name = call.client("iam"), call.physical_id
        before, after = (_inline(p) for p in (call.previous, call.properties))
        for policy in before.keys() - after.keys():
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for policy, document in after.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
        attached, wanted = (set(p.get("ManagedPolicyArns", ())) for p in (call.previous, call.properties))
        for arn in sorted(attached - wanted):
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in sorted(wanted - attached):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def _inline(properties: dict[str, Any]) -> dict[str, Any]:
    return {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", ())}


class InstanceProfile(ResourceType):
    """AWS::IAM::InstanceProfile."""

    type_name = "AWS::IAM::InstanceProfile"
    supported = frozenset({"InstanceProfileName", "Path", "Roles"})

    def create(self, call: Call) -> None:
        """Make the profile and put its role in."""
        iam, name = call.client("iam"), call.name("InstanceProfileName", limit=128)
        path = {"Path": call.properties["Path"]} if "Path" in call.properties else {}
        profile = iam.create_instance_profile(InstanceProfileName=name, **path)["InstanceProfile"]
        call.physical_id = name
        call.attributes = {"Arn": profile["Arn"]}
        for role in call.properties["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)

    def update(self, call: Call) -> None:
        """Exchange the role."""
        iam, name = call.client("iam"), call.physical_id
        for role in call.previous["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
        for role in call.properties["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)

    def delete(self, call: Call) -> None:
        """Take the role out, then the profile away."""
        gently = ignoring(call.client("iam"), _GONE)
        for role in call.properties["Roles"]:
            gently("remove_role_from_instance_profile", InstanceProfileName=call.physical_id, RoleName=role)
        gently("delete_instance_profile", InstanceProfileName=call.physical_id)


TYPES: tuple[type[ResourceType], ...] = (Role, InstanceProfile)
