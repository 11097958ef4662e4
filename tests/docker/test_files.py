"""The stacks' files, without an engine: secrets, health, requirements, and what compose publishes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yaml

from local_stack.account import DockerError
from tests.support.docker_engine import ENGINE_TOOL_VARIABLE, ROOT, engine_environment
from tests.support.http_server import serving

AIRFLOW, NOTEBOOK = ROOT / "docker_airflow", ROOT / "docker_notebook"
COMPOSE_FILES = [AIRFLOW / "compose.yaml", AIRFLOW / "services.yaml", NOTEBOOK / "compose.yaml"]


def generate(folder: Path, password: str) -> dict[str, str]:
    subprocess.run(
        [sys.executable, AIRFLOW / "generate_secrets.py", folder],
        env={"AIRFLOW_PASSWORD": password},
        check=True,
        capture_output=True,
    )
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_secrets_are_random_made_once_and_fit_together(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, two = (generate(folder, "admin") for folder in folders)
    assert all(one[name] != two[name] for name in one if name != "passwords.json")
    assert one["postgres-password"] in one["sql-alchemy-conn"]
    again = generate(folders[0], "another")
    assert json.loads(again.pop("passwords.json")) == {"admin": "another"}
    assert again.items() <= one.items()


@pytest.fixture
def airflow_health() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"scheduler": {"status": "healthy"}, "triggerer": {"status": null}}')

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with serving(Handler) as url:
        yield f"{url}/"


def test_health_is_that_of_the_part(airflow_health: str) -> None:
    def health(*arguments: str) -> int:
        command = [sys.executable, str(AIRFLOW / "health.py"), *arguments]
        return subprocess.run(command, check=False, capture_output=True).returncode

    assert health(airflow_health) == 0
    assert health(airflow_health, "scheduler") == 0
    assert health(airflow_health, "triggerer") == 1
    assert health("http://127.0.0.1:9/", "scheduler") == 1


@pytest.mark.parametrize("profiles", ["", "emulated"])
def test_the_emulations_settings_count_only_with_its_profile(tmp_path: Path, profiles: str) -> None:
    settings = tmp_path / "env"
    settings.write_text("export BRONZE_BUCKET=emulated-bucket AWS_ACCESS_KEY_ID=test\n")
    entrypoint = tmp_path / "entrypoint.sh"
    entrypoint.write_text((AIRFLOW / "entrypoint.sh").read_text().replace("/settings/env", str(settings)))
    given = {
        "COMPOSE_PROFILES": profiles,
        "BRONZE_BUCKET": "own",
        "AWS_PROFILE": "own",
        "PATH": "/usr/bin:/bin",
    }
    found = subprocess.run(
        ["sh", entrypoint, "env"], env=given, capture_output=True, text=True, check=True
    ).stdout
    own = {"BRONZE_BUCKET=own", "AWS_PROFILE=own"}
    emulated = {"BRONZE_BUCKET=emulated-bucket", "AWS_ACCESS_KEY_ID=test"}
    lines = set(found.splitlines())
    assert (emulated if profiles else own) <= lines
    assert not (own if profiles else emulated) & lines


@pytest.mark.parametrize(
    "requirements", [*AIRFLOW.glob("*.in"), *NOTEBOOK.glob("*.in")], ids=lambda file: file.name
)
def test_images_hold_only_what_the_lock_holds(requirements: Path) -> None:
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    wanted = re.findall(r"^([a-z0-9-]+)", requirements.read_text(), re.MULTILINE)
    assert wanted
    assert set(wanted) <= locked


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_port_is_on_loopback_and_can_be_moved(file: Path) -> None:
    services = yaml.safe_load(file.read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == {"services.yaml": 0}.get(file.name, 3 if file.parent == AIRFLOW else 1)
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+", port) for port in ports)


FAKE_DOCKER = """#!/bin/sh
case "$1" in info) echo / ;; *) echo 2.40.3 ;; esac
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_without_an_engine_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = program(tmp_path / "tool", "#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    for tool in (failing, tmp_path / "no-tool"):
        monkeypatch.setenv(ENGINE_TOOL_VARIABLE, str(tool))
        with pytest.raises(DockerError, match="Docker is not installed"):
            engine_environment()


def test_a_tool_may_start_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = program(tmp_path / "bin" / "docker", FAKE_DOCKER)
    tool = program(
        tmp_path / "tool",
        f'#!/bin/sh\n[ "$1" = env ] && echo "export PATH={docker.parent}:$PATH DOCKER_HOST=unix:///none"\n'
        '[ "$1" = env ] || [ "$1" = up ]\n',
    )
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("bash", "env"):
        (plain / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(plain))
    monkeypatch.setenv(ENGINE_TOOL_VARIABLE, str(tool))
    assert engine_environment()["DOCKER_HOST"] == "unix:///none"
