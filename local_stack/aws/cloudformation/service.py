"""What CloudFormation's API does with stacks and change sets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from local_stack.aws.cloudformation import parameters as parameter_values
from local_stack.aws.cloudformation.desired import Desired
from local_stack.aws.cloudformation.drift import Detection, detect
from local_stack.aws.cloudformation.errors import (
    AlreadyExistsError,
    ChangeSetNotFoundError,
    InvalidChangeSetStatusError,
    ValidationError,
)
from local_stack.aws.cloudformation.operations import Operation, reason_of
from local_stack.aws.cloudformation.plan import outputs_changed, plan
from local_stack.aws.cloudformation.state import IN_PROGRESS, ChangeSet, Stack, now
from local_stack.aws.cloudformation.template import parse

log = logging.getLogger(__name__)

ANSWER_AFTER_SECONDS = 20.0
"""A request answers when its operation is done, or after this long: clients that poll every half
minute need not, and no request outlives a client's read timeout."""

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
_UPDATABLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
)
_DELETED_KEPT = timedelta(days=90)

ClientFactory = Callable[[str, str, str], Any]
"""(service, region, account id) -> boto3 client."""


@dataclass(frozen=True)
class Request:
    """What a request that proposes a stack carries."""

    template: str
    parameters: list[dict[str, Any]]
    tags: dict[str, str]
    capabilities: list[str]


class StackService:
    """The stacks of one account and region.

    ``stacks`` and ``change_sets`` are the stores (by id), kept where they are saved with the rest of
    the emulation's state. ``running`` holds the threads of the operations under way in the process.
    """

    def __init__(
        self,
        stacks: dict[str, Stack],
        change_sets: dict[str, ChangeSet],
        account_id: str,
        region: str,
        clients: ClientFactory,
        running: dict[str, threading.Thread],
        lock: threading.RLock,
    ) -> None:
        self._stacks = stacks
        self._change_sets = change_sets
        self._account_id = account_id
        self._region = region
        self._clients = clients
        self._running = running
        self._lock = lock

    def all(self) -> list[Stack]:
        """Every stack, newest first, deleted ones (for 90 days) included."""
        kept = [s for s in self._stacks.values() if not s.deleted_at or now() - s.deleted_at < _DELETED_KEPT]
        return sorted(kept, key=lambda stack: stack.created_at, reverse=True)

    def find(self, name_or_id: str) -> Stack:
        """A live stack by name, or any stack by id.

        Raises:
            ValidationError: there is none.
        """
        if name_or_id in self._stacks:
            return self._stacks[name_or_id]
        for stack in self._stacks.values():
            if stack.name == name_or_id and not stack.is_deleted:
                return stack
        raise ValidationError(f"Stack with id {name_or_id} does not exist")

    def detect_drift(self, stack: Stack) -> Detection:
        """Compare a stack's resources with what it asked for; the outcome stays with the stack."""
        with self._lock:
            if stack.is_busy or stack.is_deleted:
                raise ValidationError(f"Drift detection cannot be performed on a stack in {stack.status}")
            stack.drift = detect(stack, self._operation(stack).reading_call)
            return stack.drift

    def create(self, name: str, request: Request, on_failure: str) -> Stack:
        """CreateStack."""
        with self._lock:
            if self._live(name):
                raise AlreadyExistsError(f"Stack [{name}] already exists")
            stack = self._new(name, "CREATE_IN_PROGRESS")
            desired = self._desired(stack, request)
            stack.on_failure, stack.capabilities = on_failure, request.capabilities
            self._stacks[stack.stack_id] = stack
            operation = self._operation(stack)
            thread = self._start(stack, lambda: operation.create(desired))
        thread.join(ANSWER_AFTER_SECONDS)
        return stack

    def update(self, name: str, request: Request) -> Stack:
        """UpdateStack."""
        with self._lock:
            stack = self.find(name)
            self._require_updatable(stack)
            desired = self._desired(stack, request)
            if not self._differs(stack, desired, self._plan(stack, desired)):
                raise ValidationError("No updates are to be performed.")
            thread = self._begin_update(stack, desired)
        thread.join(ANSWER_AFTER_SECONDS)
        return stack

    def delete(self, name: str, retain: set[str]) -> None:
        """DeleteStack; a stack that does not exist is deleted."""
        with self._lock:
            stack = self._stacks.get(name) or self._live(name)
            if stack is None or stack.is_deleted:
                return
            if stack.is_busy:
                raise ValidationError(f"Stack [{name}] cannot be deleted while in status {stack.status}")
            if stack.termination_protection:
                raise ValidationError(
                    f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            if retain and stack.status != "DELETE_FAILED":
                raise ValidationError("RetainResources applies only to stacks in DELETE_FAILED")
            self._require_exports_unused(stack)
            order = self._creation_order(stack)
            operation = self._operation(stack)
            stack.status = "DELETE_IN_PROGRESS"
            thread = self._start(stack, lambda: operation.delete(order, retain))
        thread.join(ANSWER_AFTER_SECONDS)

    def propose(
        self, name: str, change_set_name: str, kind: str, request: Request, description: str, on_failure: str
    ) -> ChangeSet:
        """CreateChangeSet."""
        with self._lock:
            if kind == "CREATE":
                stack = self._stack_under_review(name)
            else:
                stack = self.find(name)
                self._require_updatable(stack)
            if any(c.name == change_set_name for c in self.change_sets(stack)):
                raise AlreadyExistsError(f"ChangeSet {change_set_name} already exists")
            desired = self._desired(stack, request)
            self._stacks.setdefault(stack.stack_id, stack)
            changes = self._plan(stack, desired)
            change_set = ChangeSet(
                change_set_id=self._arn("changeSet", change_set_name),
                name=change_set_name,
                stack_id=stack.stack_id,
                kind=kind,
                template=request.template,
                parameters=desired.parameters,
                tags=request.tags,
                capabilities=request.capabilities,
                description=description,
                changes=changes,
                on_failure=on_failure,
            )
            if kind == "UPDATE" and not self._differs(stack, desired, changes):
                change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
                change_set.status_reason = NO_CHANGES
            self._change_sets[change_set.change_set_id] = change_set
            return change_set

    def change_sets(self, stack: Stack) -> list[ChangeSet]:
        """The change sets of a stack."""
        return [c for c in self._change_sets.values() if c.stack_id == stack.stack_id]

    def find_change_set(self, name_or_id: str, stack_name: str | None) -> ChangeSet:
        """A change set by id, or by name and stack.

        Raises:
            ChangeSetNotFoundError: there is none.
        """
        if name_or_id in self._change_sets:
            return self._change_sets[name_or_id]
        if stack_name:
            for change_set in self.change_sets(self.find(stack_name)):
                if change_set.name == name_or_id:
                    return change_set
        raise ChangeSetNotFoundError(f"ChangeSet [{name_or_id}] does not exist")

    def execute(self, change_set: ChangeSet) -> None:
        """ExecuteChangeSet."""
        with self._lock:
            if change_set.execution_status != "AVAILABLE":
                raise InvalidChangeSetStatusError(
                    f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current execution "
                    f"status of [{change_set.execution_status}]"
                )
            stack = self._stacks[change_set.stack_id]
            if stack.status != "REVIEW_IN_PROGRESS":
                self._require_updatable(stack)
            given = [
                {"ParameterKey": key, "ParameterValue": value} for key, value in change_set.parameters.items()
            ]
            desired = self._desired(
                stack, Request(change_set.template, given, change_set.tags, change_set.capabilities)
            )
            for other in self.change_sets(stack):
                other.execution_status = "OBSOLETE"
            change_set.execution_status = "EXECUTE_COMPLETE"
            if change_set.kind == "CREATE":
                stack.on_failure, stack.capabilities = change_set.on_failure, change_set.capabilities
                operation = self._operation(stack)
                stack.status = "CREATE_IN_PROGRESS"
                thread = self._start(stack, lambda: operation.create(desired))
            else:
                thread = self._begin_update(stack, desired)
        thread.join(ANSWER_AFTER_SECONDS)

    def drop_change_set(self, change_set: ChangeSet) -> None:
        """DeleteChangeSet."""
        self._change_sets.pop(change_set.change_set_id, None)

    def exports(self) -> dict[str, str]:
        """Every export of the account and region."""
        return {
            output.export: output.value
            for stack in self._stacks.values()
            for output in stack.exports
            if output.export
        }

    def importers(self, export: str) -> list[Stack]:
        """The stacks that use an export."""
        return [s for s in self._stacks.values() if export in s.imports and not s.is_deleted]

    def _live(self, name: str) -> Stack | None:
        return next((s for s in self._stacks.values() if s.name == name and not s.is_deleted), None)

    def _arn(self, kind: str, name: str) -> str:
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(self._region.rsplit("-", 2)[0], "aws")
        return f"arn:{partition}:cloudformation:{self._region}:{self._account_id}:{kind}/{name}/{uuid4()}"

    def _new(self, name: str, status: str) -> Stack:
        return Stack(self._arn("stack", name), name, self._account_id, self._region, status)

    def _stack_under_review(self, name: str) -> Stack:
        stack = self._live(name)
        if stack is None:
            stack = self._new(name, "")
            stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
        elif stack.status != "REVIEW_IN_PROGRESS":
            raise ValidationError(
                f"Stack [{name}] already exists and cannot be created again with the changeSet."
            )
        return stack

    def _desired(self, stack: Stack, request: Request) -> Desired:
        template = parse(request.template)
        chosen = parameter_values.choose(template, request.parameters, stack.parameters)
        desired = Desired(
            template,
            chosen,
            request.tags,
            stack.name,
            stack.stack_id,
            self._account_id,
            self._region,
            request.capabilities,
        )
        desired.check()
        return desired

    def _plan(self, stack: Stack, desired: Desired) -> list[dict[str, Any]]:
        return plan(stack, desired, self._exports_besides(stack))

    def _differs(self, stack: Stack, desired: Desired, changes: list[dict[str, Any]]) -> bool:
        return (
            bool(changes)
            or stack.parameters != desired.parameters
            or stack.tags != desired.tags
            or outputs_changed(stack, desired, self._exports_besides(stack))
        )

    def _require_updatable(self, stack: Stack) -> None:
        if stack.status not in _UPDATABLE:
            raise ValidationError(
                f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
            )

    def _require_exports_unused(self, stack: Stack) -> None:
        for output in stack.exports:
            users = [s.name for s in self.importers(str(output.export)) if s is not stack]
            if users:
                raise ValidationError(
                    f"Export {output.export} cannot be deleted as it is in use by {', '.join(sorted(users))}"
                )

    def _exports_besides(self, stack: Stack) -> dict[str, str]:
        own = {output.export for output in stack.exports}
        return {name: value for name, value in self.exports().items() if name not in own}

    def _creation_order(self, stack: Stack) -> list[str]:
        if not stack.template:
            return list(stack.resources)
        given = [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()]
        request = Request(stack.template, given, stack.tags, ["CAPABILITY_NAMED_IAM"])
        return list(self._desired(stack, request).resources)

    def _operation(self, stack: Stack) -> Operation:
        return Operation(
            stack,
            lambda service: self._clients(service, self._region, self._account_id),
            lambda: self._exports_besides(stack),
        )

    def _begin_update(self, stack: Stack, desired: Desired) -> threading.Thread:
        operation = self._operation(stack)
        stack.status, stack.updated_at = "UPDATE_IN_PROGRESS", now()
        return self._start(stack, lambda: operation.update(desired))

    def _start(self, stack: Stack, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except Exception as error:
                log.exception("Operation on stack %s broke off", stack.name)
                stack.set_status(
                    stack.status.replace(IN_PROGRESS, "_FAILED"), f"Internal: {reason_of(error)}"
                )
            finally:
                self._running.pop(stack.stack_id, None)

        thread = threading.Thread(target=run, name=f"cloudformation-{stack.name}", daemon=True)
        self._running[stack.stack_id] = thread
        thread.start()
        return thread
