"""The client of Airflow's REST API, and the commands on runs, against a server that wants a token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from ops import runs
from ops.airflow_api import AirflowClient

PASSWORD = "right"


class Airflow(ThreadingHTTPServer):
    """Knows one token at a time, and one resource; notes what it was asked."""

    tokens = 0
    asked: list[tuple[str, str]]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers as Airflow does."""

    server: Airflow

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/auth/token":
            self._resource({"dag_run_id": body["run"]})
        elif body == {"username": "admin", "password": PASSWORD}:
            self.server.tokens += 1
            self._answer(201, {"access_token": f"token-{self.server.tokens}"})
        else:
            self._answer(401, {"detail": "Invalid credentials"})

    def do_GET(self) -> None:
        run = {"dag_run_id": "manual__1", "state": "success", "start_date": None, "end_date": None}
        self._resource({"dag_runs": [run]})

    def do_PATCH(self) -> None:
        self._resource(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self) -> None:
        self._resource(None)

    def _resource(self, found: dict[str, Any] | None) -> None:
        self.server.asked.append((self.command, self.path))
        is_known = self.headers.get("Authorization") == f"Bearer token-{self.server.tokens}"
        if not is_known:
            self._answer(401, {"detail": "Not authenticated"})
        elif "/dags/known/" in self.path:
            self._answer(200 if found else 204, found)
        else:
            self._answer(404, {"detail": "no such DAG"})

    def _answer(self, status: int, document: dict[str, Any] | None) -> None:
        body = json.dumps(document).encode() if document else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    """A server of which nobody has a token yet."""
    with Airflow(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_logs_in_once_and_again_when_the_token_has_expired(airflow: Airflow) -> None:
    client = AirflowClient(airflow.url, "admin", PASSWORD)
    client.get("dags/known/dagRuns", limit=1)
    client.get("dags/known/dagRuns?limit=1")
    assert airflow.tokens == 1
    assert airflow.asked == [("GET", "/api/v2/dags/known/dagRuns?limit=1")] * 3

    airflow.tokens += 1
    assert client.post("dags/known/dagRuns", {"run": "manual__2"}) == {"dag_run_id": "manual__2"}
    assert airflow.tokens == 3


def test_a_resource_is_changed_and_deleted(airflow: Airflow) -> None:
    client = AirflowClient(airflow.url, "admin", PASSWORD)
    assert client.patch("dags/known/dagRuns/manual__1", {"state": "failed"}) == {"state": "failed"}
    client.delete("dags/known/dagRuns/manual__1")
    assert airflow.asked[-1] == ("DELETE", "/api/v2/dags/known/dagRuns/manual__1")


def test_a_wrong_password_and_an_unknown_resource_are_errors(airflow: Airflow) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        AirflowClient(airflow.url, "admin", "wrong").get("dags/known/dagRuns")
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        AirflowClient(airflow.url, "admin", PASSWORD).get("dags/other/dagRuns")


def test_the_last_runs_are_listed_for_the_environments_user(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_URL", airflow.url)
    monkeypatch.delenv("AIRFLOW_USER", raising=False)
    monkeypatch.setenv("AIRFLOW_PASSWORD", PASSWORD)
    assert runs.main(["list", "--dag", "known"]) == 0
    assert "manual__1" in capsys.readouterr().out

    monkeypatch.setenv("AIRFLOW_PASSWORD", "wrong")
    assert runs.main(["list", "--dag", "known"]) == 1
    assert "Airflow: " in capsys.readouterr().err
