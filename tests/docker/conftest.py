"""An engine, and the two stacks on ports, project names and image tags of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.docker_engine import ENGINE_TOOL_VARIABLE, ROOT, Stack, engine_environment
from tests.support.local_stack import free_ports


@pytest.fixture(scope="session")
def docker_environment() -> dict[str, str]:
    """The environment in which docker reaches an engine; skips where there is none."""
    found = engine_environment()
    if found is None:
        pytest.skip(f"no Docker engine answers, and {ENGINE_TOOL_VARIABLE} names none that could be started")
    # The test's own AWS and project settings must not reach the stacks.
    kept = {name: value for name, value in found.items() if not name.startswith(("AWS_", "COMPOSE_PROFILES"))}
    return kept | {"LAKEHOUSE_TAG": f"test-{os.getpid()}"}


def _removed_after(stack: Stack) -> Iterator[Stack]:
    yield stack
    stack.remove()


@pytest.fixture(scope="session")
def airflow_stack(docker_environment: dict[str, str]) -> Iterator[Stack]:
    """The stack of docker_airflow; not started yet."""
    ports = dict(zip(("AIRFLOW_PORT", "LOCAL_AWS_PORT", "WEATHER_PORT"), free_ports(3), strict=True))
    project = f"lakehouse-test-{os.getpid()}"
    yield from _removed_after(Stack(ROOT / "docker_airflow", project, docker_environment, ports))


@pytest.fixture(scope="session")
def notebook_stack(docker_environment: dict[str, str]) -> Iterator[Stack]:
    """The stack of docker_notebook; not started yet."""
    project = f"notebook-test-{os.getpid()}"
    ports = {"JUPYTER_PORT": free_ports(1)[0]}
    yield from _removed_after(Stack(ROOT / "docker_notebook", project, docker_environment, ports))
