"""What a stack shall become: a template with parameters and tags, checked before anything happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from local_stack.aws.cloudformation import parameters as parameter_values
from local_stack.aws.cloudformation.errors import InsufficientCapabilitiesError, ValidationError
from local_stack.aws.cloudformation.intrinsics import Evaluator, Lookup
from local_stack.aws.cloudformation.resources import REGISTRY
from local_stack.aws.cloudformation.schemas import ResourceSchema, schema_of
from local_stack.aws.cloudformation.template import Template

_NAMED_IAM = {
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
}


class NothingExists:
    """Answers for a stack before its first resource."""

    def ref(self, logical_id: str) -> str:
        """Never known."""
        raise ValidationError(f"Resource {logical_id} does not exist yet")

    def get_att(self, logical_id: str, attribute: str) -> str:
        """Never known."""
        raise ValidationError(f"Resource {logical_id} has no {attribute} yet")

    def import_value(self, name: str) -> str:
        """Never known."""
        raise ValidationError(f"No export named {name} found")


@dataclass(frozen=True)
class Desired:
    """A template with everything needed to evaluate it in one account and region."""

    template: Template
    parameters: dict[str, str]
    tags: dict[str, str]
    stack_name: str
    stack_id: str
    account_id: str
    region: str
    capabilities: list[str] = field(default_factory=list)

    @property
    def partition(self) -> str:
        """The AWS partition of the region."""
        return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(self.region.rsplit("-", 2)[0], "aws")

    def evaluator(self, lookup: Lookup) -> Evaluator:
        """Evaluates the template; ``lookup`` answers for resources."""
        pseudo = {
            "AWS::AccountId": self.account_id,
            "AWS::NotificationARNs": [],
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.stack_name,
            "AWS::URLSuffix": "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com",
        }
        return Evaluator(
            self.template, parameter_values.typed(self.template, self.parameters), pseudo, lookup
        )

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources whose condition holds, each after those that it depends on."""
        evaluator = self.evaluator(NothingExists())
        declared = {k: r for k, r in self.template.resources.items() if evaluator.exists(r)}
        graph: dict[str, set[str]] = {}
        for logical_id, resource in declared.items():
            needed = set(evaluator.references(resource.get("Properties") or {}))
            depends_on = resource.get("DependsOn", [])
            needed |= {depends_on} if isinstance(depends_on, str) else set(depends_on)
            graph[logical_id] = needed & declared.keys()
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise ValidationError(
                f"Circular dependency between resources: [{', '.join(error.args[1])}]"
            ) from None
        return {logical_id: declared[logical_id] for logical_id in order}

    def schema(self, type_name: str) -> ResourceSchema:
        """The schema of a type that :meth:`check` let pass."""
        schema = schema_of(type_name, self.region)
        if schema is None:
            raise ValidationError(f"Template format error: Unrecognized resource types: [{type_name}]")
        return schema

    def properties(self, logical_id: str, evaluator: Evaluator) -> dict[str, Any]:
        """The evaluated properties of a resource, with the stack's tags where the type takes tags."""
        resource = self.template.resources[logical_id]
        schema = self.schema(resource["Type"])
        evaluated = evaluator.evaluate(resource.get("Properties") or {})
        if self.tags and schema.takes_tags and "Tags" in REGISTRY[resource["Type"]].supported:
            own = {tag["Key"]: tag["Value"] for tag in evaluated.get("Tags", ())}
            merged = {**self.tags, **own}
            evaluated["Tags"] = [{"Key": key, "Value": value} for key, value in merged.items()]
        return schema.coerce(evaluated)

    def check(self) -> None:
        """Refuse what AWS would refuse at once, and what the emulation would have to ignore.

        Raises:
            ValidationError: a resource type or property that does not exist or is not emulated.
            InsufficientCapabilitiesError: IAM resources that the caller did not acknowledge.
        """
        declared = self.template.resources.values()
        unknown = sorted({r["Type"] for r in declared if schema_of(r["Type"], self.region) is None})
        if unknown:
            raise ValidationError(
                f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
            )
        missing = sorted({r["Type"] for r in declared if r["Type"] not in REGISTRY})
        if missing:
            raise ValidationError(f"The emulation does not implement {', '.join(missing)}")
        for logical_id, resource in self.template.resources.items():
            self._check_properties(logical_id, resource["Type"], resource.get("Properties") or {})
        self._check_capabilities()
        self._check_references()

    def _check_properties(self, logical_id: str, type_name: str, declared: Mapping[str, Any]) -> None:
        schema = self.schema(type_name)
        if foreign := sorted(declared.keys() - schema.properties):
            raise ValidationError(
                f"Encountered unsupported property {foreign[0]} in {logical_id} ({type_name})"
            )
        if ignored := sorted(declared.keys() - REGISTRY[type_name].supported):
            raise ValidationError(
                f"The emulation does not implement the property {', '.join(ignored)} of {type_name} "
                f"({logical_id})"
            )

    def _check_capabilities(self) -> None:
        iam = [r for r in self.template.resources.values() if r["Type"].startswith("AWS::IAM::")]
        if not iam:
            return
        named = any(_NAMED_IAM.get(r["Type"], "") in (r.get("Properties") or {}) for r in iam)
        needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
        if not {needed, "CAPABILITY_NAMED_IAM"} & set(self.capabilities):
            raise InsufficientCapabilitiesError(f"Requires capabilities : [{needed}]")

    def _check_references(self) -> None:
        evaluator = self.evaluator(NothingExists())
        known = {*self.template.resources, *self.template.section("Parameters")}
        blocks: Iterable[tuple[str, Any]] = [
            *(("Resources", r.get("Properties") or {}) for r in self.resources.values()),
            *(("Outputs", o.get("Value")) for o in self.outputs(evaluator).values()),
        ]
        for block, value in blocks:
            for name in evaluator.references(value):
                if name not in known and not name.startswith("AWS::"):
                    raise ValidationError(
                        f"Template format error: Unresolved resource dependencies [{name}] in the {block} "
                        "block of the template"
                    )

    def outputs(self, evaluator: Evaluator) -> dict[str, dict[str, Any]]:
        """The declared outputs whose condition holds."""
        return {k: o for k, o in self.template.section("Outputs").items() if evaluator.exists(o)}
