"""A server that stops, is started again, or is killed: nothing it started is left."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tests.support.emr import EmrClusters, is_running, shell, wait_for_text
from tests.support.emulated_aws import run_emulated_aws

pytestmark = pytest.mark.aws

SCRIPT = "setsid sleep 600 & echo $! > $HOME/new; mv $HOME/new $HOME/pid; sleep 600"


def _start_long_step(clusters: EmrClusters) -> tuple[str, str, int]:
    cluster_id = clusters.start_and_wait(protected=True)
    (step_id,) = clusters.add(cluster_id, shell("long", SCRIPT))
    pid = int(wait_for_text(clusters.aws.state_dir / "emr" / cluster_id / "pid"))
    return cluster_id, step_id, pid


def test_a_clean_stop_ends_clusters_and_steps_and_says_so_after_the_restart(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as aws:
        cluster_id, step_id, pid = _start_long_step(EmrClusters(aws, "emr-restart-logs"))
        assert aws.stop() == 0
        assert not is_running(pid)

    with run_emulated_aws(tmp_path) as aws:
        emr = aws.client("emr")
        status = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]
        assert status["State"] == "TERMINATED"
        assert status["StateChangeReason"]["Message"] == "The emulated AWS was stopped"
        step = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
        assert step["Status"]["State"] == "CANCELLED"


def test_a_killed_server_leaves_no_process_and_no_node(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as aws:
        cluster_id, _step_id, pid = _start_long_step(EmrClusters(aws, "emr-killed-logs"))
        aws.process.send_signal(signal.SIGKILL)
        aws.process.wait()
        _wait_until_gone(pid)

    with run_emulated_aws(tmp_path):
        assert not (tmp_path / "emr" / cluster_id).exists()


def _wait_until_gone(pid: int) -> None:
    waiting = Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.1), stop=stop_after_delay(60))
    assert waiting(is_running, pid) is False
