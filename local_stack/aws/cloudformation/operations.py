"""Carrying out a change: resources in order, and everything back as it was when one of them fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import ServiceException
from tenacity import RetryError

from local_stack.aws.cloudformation.desired import Desired
from local_stack.aws.cloudformation.errors import ResourceError, ValidationError
from local_stack.aws.cloudformation.plan import property_changes
from local_stack.aws.cloudformation.resources import REGISTRY
from local_stack.aws.cloudformation.resources.base import Call
from local_stack.aws.cloudformation.state import Output, ResourceState, Stack, now

log = logging.getLogger(__name__)

_FAILURES = (BotoCoreError, ClientError, ResourceError, RetryError, ServiceException)


class OperationFailedError(Exception):
    """A resource failed; the message is the stack's reason."""


class Operation:
    """One create, update or delete of a stack.

    ``client`` gives boto3 clients in the stack's account and region; ``exports`` answers the exports
    of the account and region that other stacks hold, as name to value.
    """

    def __init__(
        self,
        stack: Stack,
        client: Callable[[str], Any],
        exports: Callable[[], dict[str, str]],
    ) -> None:
        self._stack = stack
        self._client = client
        self._exports = exports
        self._imports: set[str] = set()
        self._undo: list[Callable[[], None]] = []
        self._obsolete: list[ResourceState] = []

    def ref(self, logical_id: str) -> str:
        """Fn::Ref of a resource that exists by now."""
        return self._existing(logical_id).physical_id

    def get_att(self, logical_id: str, attribute: str) -> Any:
        """Fn::GetAtt of a resource that exists by now."""
        state = self._existing(logical_id)
        if attribute not in state.attributes:
            raise ResourceError(
                f"Template error: resource {logical_id} does not support attribute type {attribute} "
                "in Fn::GetAtt"
            )
        return state.attributes[attribute]

    def import_value(self, name: str) -> str:
        """Fn::ImportValue."""
        exports = self._exports()
        if name not in exports:
            raise ResourceError(f"No export named {name} found.")
        self._imports.add(name)
        return exports[name]

    def create(self, desired: Desired) -> None:
        """Make the stack; on failure do what it was told: roll back, delete, or leave it."""
        stack = self._stack
        stack.set_status("CREATE_IN_PROGRESS", "User Initiated")
        try:
            self._apply(desired)
        except OperationFailedError as failure:
            self._create_failed(str(failure))
            return
        stack.set_status("CREATE_COMPLETE")

    def update(self, desired: Desired) -> None:
        """Bring the stack to what is desired; on failure bring it back."""
        stack = self._stack
        before = deepcopy(stack.resources)
        stack.set_status("UPDATE_IN_PROGRESS", "User Initiated")
        try:
            self._apply(desired)
        except OperationFailedError as failure:
            stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", str(failure))
            complete = self._roll_back()
            stack.resources = before if complete else stack.resources
            stack.set_status("UPDATE_ROLLBACK_COMPLETE" if complete else "UPDATE_ROLLBACK_FAILED")
            return
        stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        gone = [s for s in stack.resources.values() if s.logical_id not in desired.resources]
        for state in [*self._obsolete, *reversed(gone)]:
            policy = state.update_replace_policy if state in self._obsolete else state.deletion_policy
            self._try_delete(state, policy)
        for state in gone:
            stack.resources.pop(state.logical_id)
        stack.set_status("UPDATE_COMPLETE")

    def delete(self, order: list[str], retain: set[str]) -> None:
        """Remove the resources, the last in ``order`` first; ``retain`` are left alone."""
        stack = self._stack
        stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
        position = {logical_id: index for index, logical_id in enumerate(order)}
        states = sorted(
            stack.resources.values(), key=lambda s: position.get(s.logical_id, len(position)), reverse=True
        )
        failed = []
        for state in states:
            policy = "Retain" if state.logical_id in retain else state.deletion_policy
            if self._try_delete(state, policy):
                stack.resources.pop(state.logical_id)
            else:
                failed.append(state.logical_id)
        if failed:
            reason = f"The following resource(s) failed to delete: [{', '.join(sorted(failed))}]. "
            stack.set_status("DELETE_FAILED", reason)
        else:
            stack.set_status("DELETE_COMPLETE")
            stack.deleted_at = now()
            stack.outputs = []
            stack.imports = set()

    def _existing(self, logical_id: str) -> ResourceState:
        if logical_id not in self._stack.resources:
            raise ResourceError(f"Unresolved resource dependencies [{logical_id}]")
        return self._stack.resources[logical_id]

    def _apply(self, desired: Desired) -> None:
        evaluator = desired.evaluator(self)
        for logical_id, resource in desired.resources.items():
            try:
                properties = desired.properties(logical_id, evaluator)
                desired.schema(resource["Type"]).validate(properties)
            except _FAILURES as error:
                self._fail(logical_id, "", resource["Type"], error)
            self._apply_resource(desired, logical_id, properties)
        try:
            outputs = self._outputs(desired)
        except _FAILURES as error:
            raise OperationFailedError(reason_of(error)) from error
        stack = self._stack
        stack.outputs, stack.imports = outputs, self._imports
        stack.template, stack.parameters, stack.tags = (
            desired.template.text,
            desired.parameters,
            desired.tags,
        )
        stack.description = desired.template.description

    def _apply_resource(self, desired: Desired, logical_id: str, properties: dict[str, Any]) -> None:
        resource, state = desired.resources[logical_id], self._stack.resources.get(logical_id)
        if state is None:
            self._create(desired, logical_id, properties)
            return
        if state.type != resource["Type"]:
            self._replace(desired, state, properties)
            return
        schema = desired.schema(state.type)
        changes = property_changes(schema, state.properties, properties)
        if any(change.replaces for change in changes):
            self._check_custom_name(schema.document, state, properties)
            self._replace(desired, state, properties)
        elif changes:
            self._update(desired, state, properties)
        state = self._stack.resources[logical_id]
        state.deletion_policy = resource.get("DeletionPolicy", "Delete")
        state.update_replace_policy = resource.get("UpdateReplacePolicy", "Delete")

    def _check_custom_name(
        self, schema: dict[str, Any], state: ResourceState, properties: dict[str, Any]
    ) -> None:
        """Two resources of one name cannot exist at once, as replacing needs."""
        names = [pointer.rsplit("/", 1)[-1] for pointer in schema.get("primaryIdentifier", ())]
        same = [n for n in names if n in properties and properties[n] == state.properties.get(n)]
        if same and len(same) == len(names):
            error = ResourceError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {state.physical_id} and update the stack again."
            )
            self._fail(state.logical_id, state.physical_id, state.type, error)

    def _create(self, desired: Desired, logical_id: str, properties: dict[str, Any]) -> None:
        resource = desired.resources[logical_id]
        type_name = resource["Type"]
        call = self._call(logical_id, properties)
        self._stack.note(logical_id, "", type_name, "CREATE_IN_PROGRESS")
        failure: Exception | None = None
        try:
            REGISTRY[type_name].create(call)
        except _FAILURES as error:
            failure = error
        if call.physical_id:
            state = ResourceState(
                logical_id,
                type_name,
                call.physical_id,
                properties,
                call.attributes,
                resource.get("DeletionPolicy", "Delete"),
                resource.get("UpdateReplacePolicy", "Delete"),
            )
            self._stack.resources[logical_id] = state
            self._undo.append(lambda: self._undo_create(state))
        if failure is not None:
            self._fail(logical_id, call.physical_id, type_name, failure)
        self._stack.note(logical_id, call.physical_id, type_name, "CREATE_COMPLETE")

    def _undo_create(self, state: ResourceState) -> None:
        policy = "Delete" if state.deletion_policy == "RetainExceptOnCreate" else state.deletion_policy
        if not self._try_delete(state, policy):
            raise OperationFailedError(state.logical_id)
        self._stack.resources.pop(state.logical_id, None)

    def _replace(self, desired: Desired, state: ResourceState, properties: dict[str, Any]) -> None:
        self._obsolete.append(state)
        self._create(desired, state.logical_id, properties)

    def _update(self, desired: Desired, state: ResourceState, properties: dict[str, Any]) -> None:
        previous = state.properties
        self._stack.note(state.logical_id, state.physical_id, state.type, "UPDATE_IN_PROGRESS")
        self._undo.append(lambda: self._undo_update(state, previous, properties))
        try:
            self._change(state, properties, previous)
        except _FAILURES as error:
            self._fail(state.logical_id, state.physical_id, state.type, error, verb="UPDATE")
        self._stack.note(state.logical_id, state.physical_id, state.type, "UPDATE_COMPLETE")

    def _change(self, state: ResourceState, properties: dict[str, Any], previous: dict[str, Any]) -> None:
        call = self._call(state.logical_id, properties)
        call.physical_id, call.attributes, call.previous = state.physical_id, state.attributes, previous
        REGISTRY[state.type].update(call)
        state.properties, state.attributes = properties, call.attributes
        state.status, state.updated_at = "UPDATE_COMPLETE", now()

    def _undo_update(self, state: ResourceState, previous: dict[str, Any], attempted: dict[str, Any]) -> None:
        try:
            self._change(state, previous, attempted)
        except _FAILURES as error:
            self._stack.note(
                state.logical_id, state.physical_id, state.type, "UPDATE_FAILED", reason_of(error)
            )
            raise OperationFailedError(state.logical_id) from error

    def _try_delete(self, state: ResourceState, policy: str) -> bool:
        stack = self._stack
        if policy in ("Retain", "RetainExceptOnCreate"):
            stack.note(state.logical_id, state.physical_id, state.type, "DELETE_SKIPPED")
            return True
        call = self.reading_call(state)
        stack.note(state.logical_id, state.physical_id, state.type, "DELETE_IN_PROGRESS")
        try:
            REGISTRY[state.type].delete(call)
        except _FAILURES as error:
            state.status, state.reason = "DELETE_FAILED", reason_of(error)
            stack.note(state.logical_id, state.physical_id, state.type, "DELETE_FAILED", state.reason)
            return False
        stack.note(state.logical_id, state.physical_id, state.type, "DELETE_COMPLETE")
        return True

    def _roll_back(self) -> bool:
        complete = True
        for undo in reversed(self._undo):
            try:
                undo()
            except OperationFailedError:
                complete = False
        return complete

    def _create_failed(self, reason: str) -> None:
        stack = self._stack
        if stack.on_failure == "DO_NOTHING":
            stack.set_status("CREATE_FAILED", reason)
            return
        verb = "DELETE" if stack.on_failure == "DELETE" else "ROLLBACK"
        stack.set_status(f"{verb}_IN_PROGRESS", f"{reason}. Rollback requested by user.")
        complete = self._roll_back()
        stack.set_status(f"{verb}_COMPLETE" if complete else f"{verb}_FAILED")

    def _fail(
        self, logical_id: str, physical_id: str, type_name: str, error: Exception, *, verb: str = "CREATE"
    ) -> None:
        self._stack.note(logical_id, physical_id, type_name, f"{verb}_FAILED", reason_of(error))
        raise OperationFailedError(
            f"The following resource(s) failed to {verb.lower()}: [{logical_id}]"
        ) from error

    def reading_call(self, state: ResourceState) -> Call:
        """The call by which a handler reads a resource as it is."""
        call = self._call(state.logical_id, state.properties)
        call.physical_id, call.attributes = state.physical_id, state.attributes
        return call

    def _call(self, logical_id: str, properties: dict[str, Any]) -> Call:
        stack = self._stack
        return Call(
            client=self._client,
            stack_name=stack.name,
            logical_id=logical_id,
            account_id=stack.account_id,
            region=stack.region,
            partition=stack.stack_id.split(":")[1],
            properties=deepcopy(properties),
        )

    def _outputs(self, desired: Desired) -> list[Output]:
        evaluator = desired.evaluator(self)
        taken = self._exports()
        outputs = []
        for key, declared in desired.outputs(evaluator).items():
            value = evaluator.evaluate(declared["Value"])
            export = evaluator.evaluate(declared["Export"]["Name"]) if "Export" in declared else None
            if export in taken:
                raise ValidationError(f"Export with name {export} is already exported by another stack")
            outputs.append(Output(key, str(value), str(declared.get("Description") or ""), export))
        return outputs


def reason_of(error: Exception) -> str:
    """An event's reason, with the service's own words."""
    if isinstance(error, ClientError):
        details = error.response["Error"]
        return f"{details.get('Message') or error} (Error Code: {details.get('Code')})"
    return str(error)
