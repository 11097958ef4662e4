"""Trino's files and protocol, without Trino; with it: tests/sql/test_exact.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_stack.trino import install as installer
from local_stack.trino.choice import EngineChoiceError, chosen_trino
from local_stack.trino.install import InstallError, TrinoHome
from local_stack.trino.server import CATALOG, Lake, Trino, TrinoError, configuration, run_trino

LAKE = Lake("http://127.0.0.1:4566", "eu-north-1", "AKIA")


def test_rows_come_page_by_page(server: str, answers: dict[str, dict[str, Any]]) -> None:
    columns = [{"name": "n", "type": "bigint"}]
    answers["/v1/statement"] = {"nextUri": f"{server}/1"}
    answers["/1"] = {"columns": columns, "data": [[1], [2]], "nextUri": f"{server}/2"}
    answers["/2"] = {"columns": columns, "data": [[3]]}
    answer = Trino(server).query("SELECT n", "analytics")
    assert (answer.columns, answer.types, answer.rows) == (("n",), ("bigint",), [[1], [2], [3]])


def test_an_error_has_its_name(server: str, answers: dict[str, dict[str, Any]]) -> None:
    error = {"errorName": "TABLE_NOT_FOUND", "message": "line 1:15: no t"}
    answers["/v1/statement"] = {"nextUri": f"{server}/1"}
    answers["/1"] = {"error": error}
    with pytest.raises(TrinoError, match="TABLE_NOT_FOUND: line 1:15: no t") as raised:
        Trino(server).query("SELECT n", "analytics")
    assert raised.value.name == "TABLE_NOT_FOUND"


def test_both_kinds_of_table_are_reached_by_one_name_and_only_from_here() -> None:
    files = configuration(LAKE, 8081)
    assert "iceberg.hive-catalog-name=hive\n" in files[f"catalog/{CATALOG}.properties"]
    assert f"hive.iceberg-catalog-name={CATALOG}\n" in files["catalog/hive.properties"]
    assert "node.properties" not in files
    assert "http-server.http.port=8081\n" in files["config.properties"]


def test_one_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    home = TrinoHome(tmp_path / "home")
    home.java.parent.mkdir(parents=True)
    home.java.write_text("#!/bin/sh\necho \"$@\"\necho 'the port is taken' >&2\nexit 1\n")
    home.java.chmod(0o755)
    with (
        pytest.raises(TrinoError, match=r"NOT_STARTED: .*(\n.*)*the port is taken") as raised,
        run_trino(home, LAKE, tmp_path / "run", 9),
    ):
        pass
    assert raised.value.message.count("-Dnode.bind-ip=127.0.0.1 -Dnode.internal-address=127.0.0.1") == 1


def test_an_engine_is_chosen_by_name_and_must_be_there(tmp_path: Path) -> None:
    home = TrinoHome(tmp_path)
    assert chosen_trino({}) is None
    assert chosen_trino({"ATHENA_ENGINE": "duckdb"}) is None
    with pytest.raises(EngineChoiceError, match="'presto' is none of the engines: duckdb"):
        chosen_trino({"ATHENA_ENGINE": "presto"})
    with pytest.raises(EngineChoiceError, match=r"needs Trino: python -m local_stack\.trino\.install"):
        chosen_trino({"ATHENA_ENGINE": "trino"}, home)
    (home.server / "plugin").mkdir(parents=True)
    home.java.parent.mkdir(parents=True)
    home.java.touch()
    assert chosen_trino({"ATHENA_ENGINE": "trino"}, home) == home


def test_the_emulated_aws_does_not_start_with_an_unknown_engine(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local_stack.aws", "--port", "0", "--state", str(tmp_path)]
    environment = {**os.environ, "ATHENA_ENGINE": "presto"}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "ATHENA_ENGINE='presto' is none of the engines" in refused.stderr


def test_what_cannot_be_downloaded_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "LOCK", tmp_path / "no.lock")
    home = TrinoHome(tmp_path / "home")
    with pytest.raises(InstallError, match=r"needs the network once(.|\n)*no\.lock"):
        installer.install(home)
    assert not home.is_complete


def test_a_statement_that_no_node_takes_yet_is_put_again(
    server: str, answers: dict[str, dict[str, Any]]
) -> None:
    answers["/v1/statement"] = {"nextUri": f"{server}/1"}
    refusal = {"error": {"errorName": "NO_NODES_AVAILABLE", "message": "No nodes available to run query"}}
    pages = [{"columns": [{"name": "n", "type": "integer"}], "data": [[1]]}, refusal, refusal]

    def turn(_uri: str) -> None:
        answers["/1"] = pages.pop()

    found = list(Trino(server).pages("SELECT 1", "default", on_page=turn))
    assert [page.get("data") for page in found] == [None, None, None, [[1]]]
