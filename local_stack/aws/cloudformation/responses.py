"""CloudFormation's wire format: requests in, answers out; what is not here is answered 501 by the server."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from moto.cloudformation.models import cloudformation_backends
from moto.core.responses import ActionResult, EmptyResult

from local_stack.aws.cloudformation import parameters as parameter_values
from local_stack.aws.cloudformation.drift_responses import DriftResponse, drift_information
from local_stack.aws.cloudformation.errors import ValidationError
from local_stack.aws.cloudformation.service import ClientFactory, Request, StackService
from local_stack.aws.cloudformation.state import ChangeSet, ResourceState, Stack
from local_stack.aws.cloudformation.template import parse

PAGE = 100


class CloudFormationResponse(DriftResponse):
    """The operations of CloudFormation that the emulation has."""

    clients: ClassVar[ClientFactory]
    running: ClassVar[dict[str, threading.Thread]] = {}
    lock: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self) -> None:
        super().__init__(service_name="cloudformation")
        self.automated_parameter_parsing = True

    @property
    def service(self) -> StackService:
        """The stacks of the caller's account and region; moto's backend holds them, and so they are saved."""
        backend = cloudformation_backends[self.current_account][self.region]
        return StackService(
            backend.stacks,
            backend.change_sets,
            self.current_account,
            self.region,
            type(self).clients,
            self.running,
            self.lock,
        )

    def create_stack(self) -> ActionResult:
        """CreateStack."""
        on_failure = self._get_param("OnFailure") or (
            "DO_NOTHING" if self._get_bool_param("DisableRollback") else "ROLLBACK"
        )
        stack = self.service.create(self._get_param("StackName"), self._request(None), on_failure)
        stack.termination_protection = bool(self._get_bool_param("EnableTerminationProtection"))
        return ActionResult({"StackId": stack.stack_id})

    def update_stack(self) -> ActionResult:
        """UpdateStack."""
        stack = self.service.find(self._get_param("StackName"))
        self.service.update(stack.stack_id, self._request(stack))
        return ActionResult({"StackId": stack.stack_id})

    def delete_stack(self) -> ActionResult:
        """DeleteStack."""
        self.service.delete(self._get_param("StackName"), set(self._get_param("RetainResources", [])))
        return EmptyResult()

    def update_termination_protection(self) -> ActionResult:
        """UpdateTerminationProtection."""
        stack = self.service.find(self._get_param("StackName"))
        stack.termination_protection = bool(self._get_bool_param("EnableTerminationProtection"))
        return ActionResult({"StackId": stack.stack_id})

    def create_change_set(self) -> ActionResult:
        """CreateChangeSet, for a new stack or an existing one."""
        name, kind = self._get_param("StackName"), self._get_param("ChangeSetType") or "UPDATE"
        if kind not in ("CREATE", "UPDATE"):
            raise ValidationError(f"The emulation does not implement change sets of type {kind}")
        existing = self.service.find(name) if kind == "UPDATE" else None
        change_set = self.service.propose(
            name,
            self._get_param("ChangeSetName"),
            kind,
            self._request(existing),
            self._get_param("Description") or "",
            self._get_param("OnStackFailure") or "ROLLBACK",
        )
        return ActionResult({"Id": change_set.change_set_id, "StackId": change_set.stack_id})

    def describe_change_set(self) -> ActionResult:
        """DescribeChangeSet, with property values if asked."""
        change_set = self._change_set()
        with_values = bool(self._get_bool_param("IncludePropertyValues"))
        start = int(self._get_param("NextToken") or 0)
        page = change_set.changes[start : start + PAGE]
        answer = {
            **_change_set_summary(change_set, self.service.find(change_set.stack_id)),
            "Parameters": _parameters(change_set.parameters),
            "Tags": _tags(change_set.tags),
            "Capabilities": change_set.capabilities,
            "Changes": page if with_values else [_without_values(change) for change in page],
        }
        if start + PAGE < len(change_set.changes):
            answer["NextToken"] = str(start + PAGE)
        return ActionResult(answer)

    def execute_change_set(self) -> ActionResult:
        """ExecuteChangeSet."""
        self.service.execute(self._change_set())
        return EmptyResult()

    def delete_change_set(self) -> ActionResult:
        """DeleteChangeSet."""
        self.service.drop_change_set(self._change_set())
        return EmptyResult()

    def list_change_sets(self) -> ActionResult:
        """ListChangeSets."""
        stack = self.service.find(self._get_param("StackName"))
        return ActionResult(
            {"Summaries": [_change_set_summary(c, stack) for c in self.service.change_sets(stack)]}
        )

    def describe_stacks(self) -> ActionResult:
        """DescribeStacks: one by name or id, or all that are not deleted."""
        name = self._get_param("StackName")
        if name:
            return ActionResult({"Stacks": [_stack(self.service.find(name))]})
        return self._page("Stacks", [_stack(s) for s in self.service.all() if not s.is_deleted])

    def list_stacks(self) -> ActionResult:
        """ListStacks, deleted ones included."""
        wanted = self._get_param("StackStatusFilter", [])
        stacks = [s for s in self.service.all() if not wanted or s.status in wanted]
        return self._page("StackSummaries", [_stack_summary(s) for s in stacks])

    def describe_stack_events(self) -> ActionResult:
        """DescribeStackEvents, newest first."""
        stack = self.service.find(self._get_param("StackName"))
        events = [
            {
                "StackId": stack.stack_id,
                "StackName": stack.name,
                "EventId": event.event_id,
                "LogicalResourceId": event.logical_id,
                "PhysicalResourceId": event.physical_id,
                "ResourceType": event.type,
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason or None,
                "Timestamp": event.timestamp,
            }
            for event in reversed(stack.events)
        ]
        return self._page("StackEvents", events)

    def describe_stack_resources(self) -> ActionResult:
        """DescribeStackResources."""
        stack = self.service.find(self._get_param("StackName"))
        wanted = self._get_param("LogicalResourceId")
        states = [s for s in stack.resources.values() if not wanted or s.logical_id == wanted]
        return ActionResult(
            {
                "StackResources": [
                    {
                        **_resource(s),
                        "StackId": stack.stack_id,
                        "StackName": stack.name,
                        "Timestamp": s.updated_at,
                    }
                    for s in states
                ]
            }
        )

    def describe_stack_resource(self) -> ActionResult:
        """DescribeStackResource."""
        stack = self.service.find(self._get_param("StackName"))
        logical_id = self._get_param("LogicalResourceId")
        state = stack.resources.get(logical_id)
        if state is None:
            raise ValidationError(f"Resource {logical_id} does not exist for stack {stack.name}")
        detail = {
            **_resource(state),
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "LastUpdatedTimestamp": state.updated_at,
        }
        return ActionResult({"StackResourceDetail": detail})

    def list_stack_resources(self) -> ActionResult:
        """ListStackResources."""
        stack = self.service.find(self._get_param("StackName"))
        summaries = [
            {**_resource(state), "LastUpdatedTimestamp": state.updated_at}
            for state in stack.resources.values()
        ]
        return self._page("StackResourceSummaries", summaries)

    def list_exports(self) -> ActionResult:
        """ListExports."""
        exports = [
            {"ExportingStackId": stack.stack_id, "Name": output.export, "Value": output.value}
            for stack in self.service.all()
            for output in stack.exports
        ]
        return self._page("Exports", exports)

    def list_imports(self) -> ActionResult:
        """ListImports."""
        name = self._get_param("ExportName")
        importers = [stack.name for stack in self.service.importers(name)]
        if not importers:
            raise ValidationError(f"Export '{name}' is not imported by any stack.")
        return ActionResult({"Imports": importers})

    def get_template(self) -> ActionResult:
        """GetTemplate."""
        stack = self.service.find(self._get_param("StackName"))
        return ActionResult({"TemplateBody": stack.template, "StagesAvailable": ["Original", "Processed"]})

    def get_template_summary(self) -> ActionResult:
        """GetTemplateSummary of a template or a stack."""
        name = self._get_param("StackName")
        template = parse(self.service.find(name).template if name else self._body(None))
        return ActionResult(
            {
                "Description": template.description,
                "Parameters": _declarations(template.section("Parameters")),
                "ResourceTypes": sorted({r["Type"] for r in template.resources.values()}),
                "Version": template.document.get("AWSTemplateFormatVersion"),
            }
        )

    def validate_template(self) -> ActionResult:
        """ValidateTemplate."""
        template = parse(self._body(None))
        declared = _declarations(template.section("Parameters"))
        return ActionResult({"Description": template.description, "Parameters": declared})

    def _change_set(self) -> ChangeSet:
        return self.service.find_change_set(self._get_param("ChangeSetName"), self._get_param("StackName"))

    def _request(self, existing: Stack | None) -> Request:
        if unsupported := [
            name
            for name in ("TemplateURL", "RoleARN", "ResourcesToImport", "StackPolicyBody", "StackPolicyURL")
            if self._get_param(name)
        ]:
            raise ValidationError(f"The emulation does not implement {', '.join(unsupported)}")
        tags = self._get_param("Tags")
        return Request(
            template=self._body(existing),
            parameters=self._get_param("Parameters", []),
            tags={tag["Key"]: tag["Value"] for tag in tags or ()}
            if tags is not None or existing is None
            else dict(existing.tags),
            capabilities=self._get_param("Capabilities", []),
        )

    def _body(self, existing: Stack | None) -> str:
        body = self._get_param("TemplateBody")
        if self._get_bool_param("UsePreviousTemplate") and existing is not None:
            body = existing.template
        if not body:
            raise ValidationError("Either Template URL or Template Body must be specified.")
        return str(body)

    def _page(self, key: str, items: list[dict[str, Any]]) -> ActionResult:
        start = int(self._get_param("NextToken") or 0)
        answer: dict[str, Any] = {key: items[start : start + PAGE]}
        if start + PAGE < len(items):
            answer["NextToken"] = str(start + PAGE)
        return ActionResult(answer)


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _parameters(parameters: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "Description": stack.description or None,
        "Parameters": _parameters(stack.parameters),
        "CreationTime": stack.created_at,
        "LastUpdatedTime": stack.updated_at,
        "DeletionTime": stack.deleted_at,
        "StackStatus": stack.status,
        "StackStatusReason": stack.status_reason or None,
        "DisableRollback": stack.on_failure == "DO_NOTHING",
        "EnableTerminationProtection": stack.termination_protection,
        "NotificationARNs": [],
        "Capabilities": stack.capabilities,
        "Outputs": [
            {
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description or None,
                "ExportName": output.export,
            }
            for output in stack.outputs
        ],
        "Tags": _tags(stack.tags),
        "DriftInformation": drift_information(stack),
    }


def _stack_summary(stack: Stack) -> dict[str, Any]:
    wanted = (
        "StackId",
        "StackName",
        "CreationTime",
        "LastUpdatedTime",
        "DeletionTime",
        "StackStatus",
        "StackStatusReason",
        "DriftInformation",
    )
    described = _stack(stack)
    return {key: described[key] for key in wanted} | {"TemplateDescription": stack.description or None}


def _resource(state: ResourceState) -> dict[str, Any]:
    return {
        "LogicalResourceId": state.logical_id,
        "PhysicalResourceId": state.physical_id,
        "ResourceType": state.type,
        "ResourceStatus": state.status,
        "ResourceStatusReason": state.reason or None,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }


def _change_set_summary(change_set: ChangeSet, stack: Stack) -> dict[str, Any]:
    return {
        "ChangeSetId": change_set.change_set_id,
        "ChangeSetName": change_set.name,
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "Description": change_set.description or None,
        "CreationTime": change_set.created_at,
        "Status": change_set.status,
        "StatusReason": change_set.status_reason or None,
        "ExecutionStatus": change_set.execution_status,
    }


def _without_values(change: dict[str, Any]) -> dict[str, Any]:
    body = {k: v for k, v in change["ResourceChange"].items() if k not in ("BeforeContext", "AfterContext")}
    body["Details"] = [
        {
            **detail,
            "Target": {
                k: v for k, v in detail["Target"].items() if k in ("Attribute", "Name", "RequiresRecreation")
            },
        }
        for detail in body["Details"]
    ]
    return {**change, "ResourceChange": body}


def _declarations(declared: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "ParameterKey": key,
            "ParameterType": declaration.get("Type"),
            "DefaultValue": parameter_values.default_of(declaration),
            "Description": declaration.get("Description"),
            "NoEcho": bool(declaration.get("NoEcho", False)),
            "ParameterConstraints": {"AllowedValues": [str(v) for v in declaration.get("AllowedValues", ())]},
        }
        for key, declaration in declared.items()
    ]
