"""``./start_local_airflow.sh --aws``: Airflow in containers, working in the user's own account.

Reads the settings from the outputs of the CloudFormation stacks, writes them to ``.env``, and starts the
compose stack of ``docker_airflow`` with it. Credentials go to the containers by their environment, and into
no file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
from dotenv import set_key
from rich.console import Console

from config.project_config import DEFAULT_REGION
from local_stack.ports import Ports, check_free
from ops.deployment.deployer import Deployer, identify
from ops.deployment.errors import DeployError

MINIMUM_COMPOSE = (2, 24)
"""``required: false`` of depends_on came with 2.20, that of env files with 2.24."""

MINIMUM_FREE_GB = 5
"""The images take 3 GB while they are built."""

CONTAINER_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class DockerError(RuntimeError):
    """There is no usable Docker; the message says what to do."""


@dataclass(frozen=True)
class ComposeStack:
    """A compose stack of the checkout, started with settings from ``env_file``."""

    folder: Path
    env_file: Path

    def command(self, *arguments: str) -> list[str]:
        """A ``docker compose`` command for the stack."""
        return [
            "docker",
            "compose",
            "--project-directory",
            str(self.folder),
            "--env-file",
            str(self.env_file),
            *arguments,
        ]


def check_docker(environ: Mapping[str, str] = os.environ) -> None:
    """Make sure that Docker is there, runs, is new enough and has disk left.

    Raises:
        DockerError: naming what is missing.
    """
    docker = shutil.which("docker", path=environ.get("PATH", ""))
    if docker is None:
        raise DockerError("Docker is not installed: see https://docs.docker.com/engine/install/")

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [docker, *arguments], env=dict(environ), capture_output=True, text=True, check=False
        )

    engine = ask("info", "--format", "{{.DockerRootDir}}")
    if engine.returncode:
        raise DockerError(
            f"Docker is installed but does not answer. Start it. It says: {engine.stderr.strip()}"
        )
    wanted = ".".join(map(str, MINIMUM_COMPOSE))
    compose = ask("compose", "version", "--short")
    version = re.match(r"v?(\d+)\.(\d+)", compose.stdout)
    if compose.returncode or version is None:
        raise DockerError(
            f"Docker has no compose plugin, {wanted} or newer is needed: see https://docs.docker.com/compose/install/"
        )
    if (int(version[1]), int(version[2])) < MINIMUM_COMPOSE:
        raise DockerError(f"docker compose {compose.stdout.strip()} is too old: {wanted} or newer is needed")
    root = Path(engine.stdout.strip())
    if root.is_dir() and shutil.disk_usage(root).free < MINIMUM_FREE_GB * 10**9:
        raise DockerError(
            f"Less than {MINIMUM_FREE_GB} GB are free where Docker keeps its images ({root}): "
            "`docker system df` shows what takes space, `docker system prune` frees some"
        )


def write_settings(env_file: Path, settings: Mapping[str, str]) -> None:
    """Set variables in ``.env``; the other lines of a file that is there stay."""
    if not env_file.exists():
        env_file.touch(mode=0o600)
    for name, value in sorted(settings.items()):
        set_key(env_file, name, value, quote_mode="never")


def uncommitted_changes(root: Path) -> list[str]:
    """Changed and unknown files of the checkout, as git lists them; none where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(root), "status", "--porcelain"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    return listed.stdout.splitlines()


def credentials(session: boto3.session.Session) -> dict[str, str]:
    """The session's credentials as the containers' environment.

    Raises:
        DeployError: there are none.
    """
    found = session.get_credentials()
    if found is None:
        raise DeployError("There are no AWS credentials. Set AWS_PROFILE, or sign in: aws sso login")
    frozen = found.get_frozen_credentials()
    values = (frozen.access_key, frozen.secret_key, frozen.token)
    return {name: value or "" for name, value in zip(CONTAINER_VARIABLES, values, strict=True)}


def start(root: Path, environment: str, ports: Ports, console: Console) -> int:
    """Write ``.env`` and start the stack; returns the exit code of ``docker compose up``.

    Raises:
        DockerError: there is no usable Docker.
        PortError: Airflow's port is taken.
        DeployError: no credentials, or the CloudFormation stacks are not deployed.
    """
    check_docker()
    check_free(ports, "airflow")
    session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or DEFAULT_REGION)
    caller = identify(session)
    settings = Deployer(session, environment, console).settings()
    stack = ComposeStack(root / "docker_airflow", root / ".env")
    write_settings(stack.env_file, {**settings, "AWS_REGION": caller.region, "ENVIRONMENT": environment})
    console.print(f"{stack.env_file}: {environment} in account {caller.account_id}, {caller.region}")
    if changes := uncommitted_changes(root):
        console.print(
            f"The images are built from a tree with {len(changes)} uncommitted changes.", style="yellow"
        )
    done = subprocess.run(
        stack.command("up", "--build", "--detach", "--wait"),
        env={**os.environ, **credentials(session), "COMPOSE_PROFILES": ""},
        check=False,
    )
    if done.returncode:
        console.print(f"The stack did not start; why: {' '.join(stack.command('logs', 'migrate'))}")
        return 1
    console.print(f"Airflow: {ports.airflow_url} (admin / admin)")
    console.print(f"Stop it: {' '.join(stack.command('down'))}", soft_wrap=True)
    return 0
