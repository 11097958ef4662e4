"""What a failed step does to the steps behind it and to its cluster."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support.emr import EmrClusters, shell

pytestmark = pytest.mark.aws


def test_continue_runs_the_next_step(clusters: EmrClusters, cluster: str) -> None:
    statuses = clusters.run(cluster, shell("bad", "false", "CONTINUE"), shell("next", "true"))

    assert [status["State"] for status in statuses] == ["FAILED", "COMPLETED"]


def test_cancel_and_wait_drops_the_steps_behind_and_keeps_the_cluster(
    clusters: EmrClusters, cluster: str
) -> None:
    statuses = clusters.run(cluster, shell("bad", "false", "CANCEL_AND_WAIT"), shell("next", "true"))

    assert [status["State"] for status in statuses] == ["FAILED", "CANCELLED"]
    assert clusters.wait(cluster, "WAITING")["State"] == "WAITING"


def test_cancel_and_wait_keeps_a_cluster_that_was_to_end_after_its_steps(clusters: EmrClusters) -> None:
    cluster_id = clusters.start(keep_alive=False, Steps=[shell("bad", "false", "CANCEL_AND_WAIT")])

    assert clusters.wait(cluster_id, "WAITING", "TERMINATED", "TERMINATED_WITH_ERRORS")["State"] == "WAITING"


@pytest.mark.parametrize("action", ["TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"])
def test_terminate_ends_the_cluster_with_errors(clusters: EmrClusters, action: str) -> None:
    cluster_id = clusters.start_and_wait()

    statuses = clusters.run(cluster_id, shell("bad", "false", action), shell("next", "true"))

    assert [status["State"] for status in statuses] == ["FAILED", "CANCELLED"]
    ended = clusters.wait(cluster_id, "TERMINATED", "TERMINATED_WITH_ERRORS")
    assert ended["State"] == "TERMINATED_WITH_ERRORS"
    assert ended["StateChangeReason"] == {"Code": "STEP_FAILURE", "Message": "Shut down as step failed"}


def test_termination_protection_keeps_the_cluster_of_a_failed_step(clusters: EmrClusters) -> None:
    cluster_id = clusters.start_and_wait(protected=True)

    statuses = clusters.run(cluster_id, shell("bad", "false", "TERMINATE_CLUSTER"), shell("next", "true"))

    assert [status["State"] for status in statuses] == ["FAILED", "CANCELLED"]
    assert clusters.wait(cluster_id, "WAITING")["State"] == "WAITING"


@pytest.mark.parametrize("action", ["CANCEL_AND_WAIT", "TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"])
def test_only_continue_is_taken_where_steps_run_at_once(
    clusters: EmrClusters, concurrent_cluster: str, action: str
) -> None:
    with pytest.raises(ClientError, match="not valid when StepConcurrencyLevel is greater than 1") as refused:
        clusters.add(concurrent_cluster, shell("good", "true"), shell("bad", "true", action))

    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert clusters.emr.list_steps(ClusterId=concurrent_cluster)["Steps"] == []


def test_only_continue_is_taken_by_a_new_cluster_of_that_kind(clusters: EmrClusters) -> None:
    with pytest.raises(ClientError, match="StepConcurrencyLevel"):
        clusters.start(StepConcurrencyLevel=2, Steps=[shell("bad", "true", "CANCEL_AND_WAIT")])


def test_raising_the_concurrency_takes_the_effect_from_a_failure(clusters: EmrClusters, cluster: str) -> None:
    bad, behind = clusters.add(
        cluster,
        shell("bad", "until [ -e $HOME/go ]; do sleep 0.05; done; false", "TERMINATE_CLUSTER"),
        shell("behind", "until [ -e $HOME/go ]; do sleep 0.05; done"),
    )
    clusters.wait_step(cluster, bad, "RUNNING")
    clusters.emr.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=2)
    clusters.wait_step(cluster, behind, "RUNNING")

    (clusters.aws.state_dir / "emr" / cluster / "go").touch()

    assert clusters.wait_step(cluster, bad)["State"] == "FAILED"
    assert clusters.wait_step(cluster, behind)["State"] == "COMPLETED"
    assert clusters.wait(cluster, "WAITING")["State"] == "WAITING"


def test_an_unknown_action_is_refused(clusters: EmrClusters, cluster: str) -> None:
    with pytest.raises(ClientError, match="'EXPLODE' is not valid"):
        clusters.add(cluster, shell("bad", "true", "EXPLODE"))
