"""The lines that a person reads while the quick start works."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from local_stack.stages import Stages


@pytest.fixture
def stages() -> Stages:
    """Stages that print to a string."""
    return Stages(Console(file=io.StringIO(), width=120))


def lines(stages: Stages) -> list[str]:
    """What was printed, without the padding."""
    assert isinstance(stages.console.file, io.StringIO)
    return [" ".join(line.split()) for line in stages.console.file.getvalue().splitlines()]


def test_stage_that_is_done_says_what_it_took(stages: Stages) -> None:
    with stages.stage("Airflow", "http://127.0.0.1:8080"):
        pass
    assert lines(stages) == [f"✓ Airflow {stages.seconds['Airflow']:.1f} s http://127.0.0.1:8080"]


def test_stage_that_failed_is_marked_and_not_timed(stages: Stages) -> None:
    with pytest.raises(ValueError, match="no"), stages.stage("Spark"):
        raise ValueError("no")
    assert lines(stages)[0].startswith("✗ Spark")
    assert stages.seconds == {}


def test_deferred_task_is_told_of_once(stages: Stages) -> None:
    for state in ("queued", "running", "deferred", "running", "success"):
        stages.task("create_cluster", state, 3.0)
    assert lines(stages) == ["… create_cluster running", "✓ create_cluster success 3.0 s"]


def test_retried_task_is_told_of_again(stages: Stages) -> None:
    for state in ("running", "up_for_retry", "running", "failed"):
        stages.task("create_cluster", state, 3.0)
    assert [line.split()[2] for line in lines(stages)] == ["running", "up_for_retry", "running", "failed"]
