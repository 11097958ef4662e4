"""A guarded command ends with all it started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local_stack.aws.emr.model import CancellationOption
from local_stack.aws.emr.process import GuardedProcess
from tests.support.emr import is_running, wait_for_text


def _start(folder: Path, script: str) -> GuardedProcess:
    return GuardedProcess(
        ["bash", "-c", script],
        folder=folder,
        environment={"PATH": os.environ["PATH"]},
        stdout=folder / "stdout",
        stderr=folder / "stderr",
    )


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)])
def test_it_ends_with_the_status_of_the_command(tmp_path: Path, script: str, status: int) -> None:
    assert _start(tmp_path, script).wait(60) == status


def test_a_command_that_does_not_exist_is_127(tmp_path: Path) -> None:
    process = GuardedProcess(
        ["/no/such"], folder=tmp_path, environment={}, stdout=tmp_path / "stdout", stderr=tmp_path / "stderr"
    )

    assert process.wait(60) == 127
    assert (tmp_path / "stderr").read_text() == "/no/such: No such file or directory\n"


def test_what_the_command_left_behind_is_killed(tmp_path: Path) -> None:
    process = _start(tmp_path, "(setsid nohup sleep 600 >/dev/null 2>&1 & echo $! > pid)")

    assert process.wait(60) == 0
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_closing_ends_even_what_ignores_the_signal(tmp_path: Path) -> None:
    process = _start(tmp_path, "trap '' TERM; (while :; do sleep 0.05; done) & echo $! > pid; wait")
    descendant = int(wait_for_text(tmp_path / "pid"))

    process.end()

    assert process.wait(60) == 137
    assert not is_running(descendant)


def test_the_kill_order_is_not_negotiable(tmp_path: Path) -> None:
    process = _start(tmp_path, "trap '' TERM; echo ready > ready; while :; do sleep 0.05; done")
    wait_for_text(tmp_path / "ready")

    process.order(CancellationOption.TERMINATE_PROCESS)

    assert process.wait(60) == 137
    process.order(CancellationOption.SEND_INTERRUPT)  # too late, and no error
