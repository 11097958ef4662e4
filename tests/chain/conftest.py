"""One local stack for all chain tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.local_stack import LocalStack, free_ports


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack of the chain tests; not started yet."""
    stack = LocalStack(tmp_path_factory.mktemp("chain") / "state", *free_ports(3))
    yield stack
    if stack.process is not None and stack.process.poll() is None:
        stack.interrupt()
    for process in stack.processes():
        process.kill()
