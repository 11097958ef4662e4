"""An engine, the images, each built once, and the two stacks on ports and project names of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from local_stack.account import DockerError
from tests.support.docker_engine import ENGINE_TOOL_VARIABLE, ROOT, Stack, engine_environment
from tests.support.local_stack import free_ports


@pytest.fixture(scope="session")
def docker_environment() -> dict[str, str]:
    """The environment in which docker reaches an engine; skips where there is none."""
    try:
        found = engine_environment()
    except DockerError as error:
        pytest.skip(f"{error}; {ENGINE_TOOL_VARIABLE} names no tool that could start an engine")
    # The test's own AWS and project settings must not reach the stacks.
    kept = {name: value for name, value in found.items() if not name.startswith(("AWS_", "COMPOSE_PROFILES"))}
    return kept | {"LAKEHOUSE_TAG": f"test-{os.getpid()}"}


@pytest.fixture(scope="session")
def airflow_stack(docker_environment: dict[str, str]) -> Iterator[Stack]:
    """The stack of docker_airflow: its images built, nothing started yet."""
    ports = dict(zip(("AIRFLOW_PORT", "LOCAL_AWS_PORT", "WEATHER_PORT"), free_ports(3), strict=True))
    project = f"lakehouse-test-{os.getpid()}"
    # One service of each image: compose would build it anew for every other, out of the cache.
    yield from _built(Stack(ROOT / "docker_airflow", project, docker_environment, ports), "secrets", "aws")


@pytest.fixture(scope="session")
def notebook_stack(airflow_stack: Stack) -> Iterator[Stack]:
    """The stack of docker_notebook: its image built on top of one of Airflow's, nothing started yet."""
    project = f"notebook-test-{os.getpid()}"
    ports = {"JUPYTER_PORT": free_ports(1)[0]}
    stack = Stack(ROOT / "docker_notebook", project, airflow_stack.environment, ports)
    yield from _built(stack, "jupyter")


def _built(stack: Stack, *services: str) -> Iterator[Stack]:
    stack.compose("build", *services)
    yield stack
    stack.remove()
