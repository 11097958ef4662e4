"""The workflows: well-formed, and careful with what they may do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yml"))


def workflow(name: str) -> dict[Any, Any]:
    (path,) = [path for path in WORKFLOWS if path.stem == name]
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_there_is_one_for_checking_and_one_for_each_environment() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy-dev", "deploy-prod"]


def test_actionlint_has_nothing_to_say() -> None:
    assert WORKFLOWS
    program = Path(sys.executable).with_name("actionlint")
    result = subprocess.run(
        [program, "-no-color", "-shellcheck=", "-pyflakes=", *WORKFLOWS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions_are_narrow_and_time_is_bounded(path: Path) -> None:
    described = workflow(path.stem)
    granted = described["permissions"]
    assert {key for key, level in granted.items() if level == "write"} <= {"id-token"}
    assert all("timeout-minutes" in job for job in described["jobs"].values())


def test_prod_is_deployed_by_hand_after_a_plan_and_an_approval() -> None:
    described = workflow("deploy-prod")
    assert list(described[True]) == ["workflow_dispatch"]  # YAML 1.1 reads "on" as true
    deploy = described["jobs"]["deploy"]
    assert (deploy["needs"], deploy["environment"]) == ("plan", "prod")


def test_dev_is_deployed_only_from_a_main_that_passed() -> None:
    described = workflow("deploy-dev")
    trigger = described[True]["workflow_run"]
    assert (trigger["workflows"], trigger["branches"]) == (["ci"], ["main"])
    assert "conclusion == 'success'" in described["jobs"]["deploy"]["if"]
