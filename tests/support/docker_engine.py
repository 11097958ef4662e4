"""A Docker engine for the tests of the container stacks, and their compose stacks."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.account import DockerError, check_docker

ROOT = Path(__file__).resolve().parents[2]

ENGINE_TOOL_VARIABLE = "DOCKER_ENGINE_TOOL"
_BESIDE_CHECKOUT = ROOT.parent / "shared" / "tools" / "offline-docker" / "offline-docker"


def engine_environment() -> dict[str, str]:
    """The environment in which ``docker`` reaches an engine that the stacks can use.

    Any engine with a new enough compose will do. Where there is none, the tool that DOCKER_ENGINE_TOOL names,
    or one that lies beside the checkout, may start one: ``TOOL up``, and ``TOOL env`` prints what a shell
    needs.

    Raises:
        DockerError: there is none; the message says what is missing.
    """
    try:
        check_docker()
    except DockerError:
        tool = Path(os.environ.get(ENGINE_TOOL_VARIABLE) or _BESIDE_CHECKOUT)
        if not os.access(tool, os.X_OK) or subprocess.run([tool, "up"], check=False).returncode:
            raise
        environment = _shell_environment(tool)
        check_docker(environment)
        return environment
    return dict(os.environ)


def _shell_environment(tool: Path) -> dict[str, str]:
    script = f'eval "$({shlex.quote(str(tool))} env)" && env -0'
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in found.split("\0") if line)


@dataclass(frozen=True)
class Stack:
    """A compose stack in ``folder``, under a project name and image tag of its own."""

    folder: Path
    project: str
    environment: Mapping[str, str]
    ports: Mapping[str, int] = field(default_factory=dict)

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``docker compose``; with ``check`` a failure shows its output and the services' logs."""
        done = self._docker("compose", "-p", self.project, *arguments)
        if check and done.returncode:
            logs = self._docker("compose", "-p", self.project, "logs", "--no-color", "--tail", "40")
            raise AssertionError(f"compose {arguments}:\n{done.stdout}{done.stderr}\n{logs.stdout}")
        return done

    def left(self, kind: str) -> list[str]:
        """Names of the containers, volumes or networks that carry the project's label."""
        every = ["--all"] if kind == "container" else []
        label = f"label=com.docker.compose.project={self.project}"
        return self._docker(kind, "ls", *every, "--quiet", "--filter", label).stdout.split()

    def remove(self) -> None:
        """Remove all of it, its images too; the build cache stays."""
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "5", check=False)
        self._docker("image", "rm", *self.image_sizes())

    def image_sizes(self) -> dict[str, int]:
        """Megabytes of the project's images."""
        tag = self.environment["LAKEHOUSE_TAG"]
        named, template = f"reference=lakehouse-*:{tag}", "{{.Repository}}:{{.Tag}}"
        found = self._docker("image", "ls", "--format", template, "--filter", named).stdout.split()
        sizes = (self._docker("image", "inspect", "--format", "{{.Size}}", name).stdout for name in found)
        return {name: int(size) // 10**6 for name, size in zip(found, sizes, strict=True)}

    def _docker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {name: str(port) for name, port in self.ports.items()}
        return subprocess.run(
            ["docker", *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
