"""``--aws``: settings from the stacks' outputs into .env, Docker checked, the compose stack started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from rich.console import Console

from config.project_config import Settings
from local_stack import account
from local_stack.ports import PortError, Ports
from ops.deploy import deploy_all
from ops.deployment.errors import DeployError
from tests.support.accounts import new_account
from tests.support.emulated_aws import EmulatedAws, lead_process_to
from tests.support.local_stack import free_ports

GOOD = """
case "$1 $2" in
  "info "*) echo "$DOCKER_ROOT" ;;
  "compose version") echo 2.40.3 ;;
  *) { echo "$@"; env; } >"$CALLS"; exit "${UP:-0}" ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ``docker``, first on PATH, that notes how it was called."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh{GOOD}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_ROOT", str(tmp_path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return program


def ports() -> Ports:
    return Ports(*free_ports(3))


def test_docker_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(account.DockerError, match="Docker is not installed"):
        account.check_docker({"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", "does not answer.*Cannot connect"),
        ('[ "$1" = info ] && echo / || exit 1', "no compose plugin, 2.24 or newer"),
        ('[ "$1" = info ] && echo / || echo 2.17.1', "docker compose 2.17.1 is too old: 2.24 or newer"),
    ],
)
def test_docker_that_is_of_no_use_is_told(docker: Path, script: str, message: str) -> None:
    docker.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(account.DockerError, match=message):
        account.check_docker()


def test_a_full_disk_is_told(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MINIMUM_FREE_GB", 10**9)
    with pytest.raises(account.DockerError, match="docker system prune"):
        account.check_docker()


def test_a_taken_port_is_told_before_anything_is_written(docker: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError, match=f"Port {port}, for Airflow"):
            account.start(tmp_path, "dev", Ports(port, *free_ports(2)), Console(quiet=True))
    assert not (tmp_path / ".env").exists()


def test_settings_are_written_beside_what_the_user_wrote(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("# mine\nEMR_POLL_SECONDS=20\nBRONZE_BUCKET=old\n")
    account.write_settings(env_file, {"BRONZE_BUCKET": "new", "LOGS_BUCKET": "logs"})
    assert env_file.read_text() == "# mine\nEMR_POLL_SECONDS=20\nBRONZE_BUCKET=new\nLOGS_BUCKET=logs\n"


def test_a_new_env_file_is_the_users_alone(tmp_path: Path) -> None:
    account.write_settings(tmp_path / ".env", {"BRONZE_BUCKET": "new"})
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_dirty_tree_is_noticed(tmp_path: Path) -> None:
    assert account.uncommitted_changes(tmp_path) == []
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "new.py").touch()
    assert account.uncommitted_changes(tmp_path) == ["?? new.py"]


@pytest.mark.aws
def test_without_stacks_it_says_how_to_deploy(
    aws_environment: EmulatedAws, docker: Path, tmp_path: Path
) -> None:
    with pytest.raises(DeployError, match=r"ops.deploy apply --environment prod"):
        account.start(tmp_path, "prod", ports(), Console(quiet=True))


@pytest.mark.aws
def test_without_credentials_it_says_how_to_sign_in(
    aws_environment: EmulatedAws, docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DeployError, match="Sign in first"):
        account.start(tmp_path, "dev", ports(), Console(quiet=True))


@pytest.mark.aws
def test_env_file_and_credentials_reach_compose(
    aws_environment: EmulatedAws, docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = new_account(aws_environment)
    lead_process_to(own.environment, monkeypatch)
    deployed = deploy_all(own.session(), "dev")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    with (tmp_path / "shown").open("w") as shown:
        assert account.start(tmp_path, "dev", ports(), Console(file=shown, width=200)) == 0
    # Nothing in this tree is committed.
    assert "The images are built from a tree with" in (tmp_path / "shown").read_text()
    settings = dotenv_values(tmp_path / ".env")
    assert settings == deployed
    Settings.from_mapping(settings)
    called = (tmp_path / "calls").read_text()
    assert f"--project-directory {tmp_path}/docker_airflow --env-file {tmp_path}/.env up --build" in called
    assert "AWS_SECRET_ACCESS_KEY=test" in called
    assert "AWS_SECRET_ACCESS_KEY" not in (tmp_path / ".env").read_text()
    assert "COMPOSE_PROFILES=\n" in called

    monkeypatch.setenv("UP", "1")
    with (tmp_path / "shown").open("w") as shown:
        assert account.start(tmp_path, "dev", ports(), Console(file=shown, width=200)) == 1
    assert "logs migrate" in (tmp_path / "shown").read_text()


def test_the_command_line_offers_it() -> None:
    command = [sys.executable, "-m", "local_stack.quickstart", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "--aws" in shown
