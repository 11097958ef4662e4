"""One local stack for all chain tests, and a note of which test made a role use which right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_stack.aws.iam.records import Record
from tests.support.local_stack import LocalStack, free_ports

UsedIn = dict[str, set[Record]]


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack of the chain tests; not started yet."""
    stack = LocalStack(tmp_path_factory.mktemp("chain") / "state", *free_ports(3))
    yield stack
    if stack.process is not None and stack.process.poll() is None:
        stack.interrupt()
    for process in stack.processes():
        process.kill()


@pytest.fixture(scope="session")
def used_in() -> UsedIn:
    """What roles asked for the first time, by the name of the test."""
    return {}


@pytest.fixture(autouse=True)
def _note_what_roles_ask_for(
    request: pytest.FixtureRequest, local_stack: LocalStack, used_in: UsedIn
) -> Iterator[None]:
    before = set(local_stack.role_requests())
    yield
    used_in[request.node.name] = set(local_stack.role_requests()) - before
