"""Operations that are under way, in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.models import cloudformation_backends

from local_stack.aws.cloudformation.engine import Engine
from local_stack.aws.cloudformation.errors import AlreadyExistsError, ValidationError
from local_stack.aws.cloudformation.service import Request, StackService
from local_stack.aws.cloudformation.state import ChangeSet, Stack
from local_stack.aws.context import ServerContext

TEMPLATE = "Resources: {Group: {Type: 'AWS::Logs::LogGroup', Properties: {RetentionInDays: 7}}}"
REQUEST = Request(TEMPLATE, [], {}, [])


class SlowLogs:
    """A logs service whose first call waits until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def create_log_group(self, **_: Any) -> None:
        self.entered.set()
        assert self.gate.wait(30)

    def put_retention_policy(self, **_: Any) -> None:
        raise AttributeError("a bug in a resource type")


def service(logs: SlowLogs) -> StackService:
    stacks: dict[str, Stack] = {}
    change_sets: dict[str, ChangeSet] = {}
    return StackService(
        stacks,
        change_sets,
        "210987654321",
        "eu-north-1",
        lambda name, region, account: logs,
        {},
        threading.RLock(),
    )


@pytest.mark.parametrize(
    ("intrude", "error", "message"),
    [
        (lambda s: s.create("slow", REQUEST, "ROLLBACK"), AlreadyExistsError, "already exists"),
        (lambda s: s.update("slow", REQUEST), ValidationError, "is in CREATE_IN_PROGRESS state"),
        (lambda s: s.delete("slow", set()), ValidationError, "cannot be deleted while in status CREATE_IN"),
        (
            lambda s: s.propose("slow", "c", "UPDATE", REQUEST, "", "ROLLBACK"),
            ValidationError,
            "is in CREATE_IN_PROGRESS state and can not be updated",
        ),
    ],
)
def test_nothing_else_happens_to_a_busy_stack(
    intrude: Callable[[StackService], object], error: type[Exception], message: str
) -> None:
    logs = SlowLogs()
    stacks = service(logs)
    creation = threading.Thread(target=lambda: stacks.create("slow", REQUEST, "ROLLBACK"))
    creation.start()
    assert logs.entered.wait(30)
    try:
        with pytest.raises(error, match=message):
            intrude(stacks)
    finally:
        logs.gate.set()
        creation.join()


def test_a_bug_in_a_resource_type_does_not_leave_a_stack_busy() -> None:
    logs = SlowLogs()
    logs.gate.set()
    stack = service(logs).create("buggy", REQUEST, "ROLLBACK")
    assert stack.status == "CREATE_FAILED"
    assert "a bug in a resource type" in stack.status_reason


def test_an_operation_cut_short_by_a_stop_is_owned_up_to(tmp_path: Path) -> None:
    backend = cloudformation_backends["210987654321"]["eu-north-1"]
    stack = Stack("arn:x", "cut", "210987654321", "eu-north-1", "UPDATE_IN_PROGRESS")
    backend.stacks["arn:x"] = stack
    try:
        Engine(ServerContext("http://127.0.0.1:1", tmp_path, "eu-north-1")).start()
        assert (stack.status, stack.status_reason) == (
            "UPDATE_FAILED",
            "The emulation was stopped in the middle of this operation",
        )
    finally:
        backend.stacks.clear()
