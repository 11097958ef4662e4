"""Clusters: how they start, take orders, and end."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support.emr import EmrClusters, is_running, shell, wait_for_text

pytestmark = pytest.mark.aws


def test_a_cluster_without_steps_waits(clusters: EmrClusters, cluster: str) -> None:
    described = clusters.emr.describe_cluster(ClusterId=cluster)["Cluster"]

    assert described["Status"]["State"] == "WAITING"
    assert described["Status"]["StateChangeReason"] == {"Message": "Cluster ready to run steps."}
    timeline = described["Status"]["Timeline"]
    assert timeline["CreationDateTime"] <= timeline["ReadyDateTime"]
    assert "EndDateTime" not in timeline
    assert described["LogUri"] == f"s3://{clusters.logs_bucket}/emr-logs/"
    assert described["ClusterArn"].startswith(f"arn:aws:elasticmapreduce:{clusters.aws.region}:")


def test_its_machines_are_listed(clusters: EmrClusters, cluster: str) -> None:
    groups = clusters.emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
    instances = clusters.emr.list_instances(ClusterId=cluster)["Instances"]
    primary = clusters.emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["MASTER"])["Instances"]

    assert {(group["InstanceGroupType"], group["RequestedInstanceCount"]) for group in groups} == {
        ("MASTER", 1),
        ("CORE", 2),
    }
    assert len(instances) == 3
    assert len(primary) == 1


def test_clusters_are_listed_newest_first_and_by_state(clusters: EmrClusters, cluster: str) -> None:
    newer = clusters.start_and_wait(Name="newer")
    clusters.terminate(newer)

    listed = [found["Id"] for found in clusters.emr.list_clusters()["Clusters"]]
    assert listed.index(newer) < listed.index(cluster)
    living = clusters.emr.list_clusters(ClusterStates=["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"])
    assert newer not in [found["Id"] for found in living["Clusters"]]


def test_terminating_kills_the_running_step_with_its_children(clusters: EmrClusters) -> None:
    cluster_id = clusters.start_and_wait()
    script = "setsid sleep 600 & echo $! > $HOME/new; mv $HOME/new $HOME/pid; sleep 600"
    running, pending = clusters.add(cluster_id, shell("run", script), shell("wait", "true"))
    clusters.wait_step(cluster_id, running, "RUNNING")
    node = clusters.aws.state_dir / "emr" / cluster_id
    pid = int(wait_for_text(node / "pid"))

    clusters.emr.terminate_job_flows(JobFlowIds=[cluster_id])
    ended = clusters.wait(cluster_id, "TERMINATED", "TERMINATED_WITH_ERRORS")

    assert ended["State"] == "TERMINATED"
    assert ended["StateChangeReason"] == {"Code": "USER_REQUEST", "Message": "Terminated by user request"}
    assert "EndDateTime" in ended["Timeline"]
    for step_id in (running, pending):
        status = clusters.step_status(cluster_id, step_id)
        assert (status["State"], status["StateChangeReason"]["Message"]) == ("CANCELLED", "Job terminated")
    assert not is_running(pid)
    assert not node.exists()


def test_a_terminated_cluster_takes_no_orders(clusters: EmrClusters) -> None:
    cluster_id = clusters.start()
    clusters.terminate(cluster_id)

    policy = {"IdleTimeout": 60}
    for order in (
        lambda: clusters.add(cluster_id, shell("late", "true")),
        lambda: clusters.emr.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=2),
        lambda: clusters.emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy=policy),
    ):
        with pytest.raises(ClientError, match="shutting down, terminated, or finished may not be") as refused:
            order()
        assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_termination_protection_is_honoured(clusters: EmrClusters) -> None:
    cluster_id = clusters.start_and_wait(protected=True)

    with pytest.raises(ClientError, match="termination protected"):
        clusters.emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert clusters.status(cluster_id)["State"] == "WAITING"

    clusters.emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
    clusters.terminate(cluster_id)


def test_more_than_ten_clusters_are_not_terminated_at_once(clusters: EmrClusters, cluster: str) -> None:
    with pytest.raises(ClientError, match="at most 10") as refused:
        clusters.emr.terminate_job_flows(JobFlowIds=[cluster, *(f"j-{number}" for number in range(10))])
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert clusters.status(cluster)["State"] == "WAITING"


@pytest.mark.parametrize(
    ("script", "message"), [("true", "Steps completed"), ("false", "Steps completed with errors")]
)
def test_a_cluster_that_is_not_kept_ends_after_its_steps(
    clusters: EmrClusters, script: str, message: str
) -> None:
    cluster_id = clusters.start(keep_alive=False, Steps=[shell("only", script)])

    ended = clusters.wait(cluster_id, "TERMINATED", "TERMINATED_WITH_ERRORS")

    assert ended["State"] == "TERMINATED"
    assert ended["StateChangeReason"] == {"Code": "ALL_STEPS_COMPLETED", "Message": message}


def test_auto_termination_policies_are_kept(clusters: EmrClusters) -> None:
    emr = clusters.emr
    cluster_id = clusters.start(AutoTerminationPolicy={"IdleTimeout": 900})

    def policy() -> object:
        return emr.get_auto_termination_policy(ClusterId=cluster_id).get("AutoTerminationPolicy")

    assert policy() == {"IdleTimeout": 900}
    emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 60})
    assert policy() == {"IdleTimeout": 60}
    emr.put_auto_termination_policy(ClusterId=cluster_id)
    assert policy() == {"IdleTimeout": 3600}
    emr.remove_auto_termination_policy(ClusterId=cluster_id)
    assert policy() is None


@pytest.mark.parametrize("seconds", [59, 604_801])
def test_an_idle_timeout_out_of_range_is_refused(clusters: EmrClusters, seconds: int) -> None:
    with pytest.raises(ClientError, match="must be 60 to 604800 seconds"):
        clusters.start(AutoTerminationPolicy={"IdleTimeout": seconds})


def test_managed_scaling_policies_are_kept(clusters: EmrClusters, cluster: str) -> None:
    limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 3}
    policy = {"ComputeLimits": limits}

    assert "ManagedScalingPolicy" not in clusters.emr.get_managed_scaling_policy(ClusterId=cluster)
    clusters.emr.put_managed_scaling_policy(ClusterId=cluster, ManagedScalingPolicy=policy)
    assert clusters.emr.get_managed_scaling_policy(ClusterId=cluster)["ManagedScalingPolicy"] == policy
    clusters.emr.remove_managed_scaling_policy(ClusterId=cluster)
    assert "ManagedScalingPolicy" not in clusters.emr.get_managed_scaling_policy(ClusterId=cluster)


def test_unknown_ids_are_invalid_requests(clusters: EmrClusters, cluster: str) -> None:
    emr, nobody = clusters.emr, "j-NOBODY"
    for request, message in (
        (lambda: emr.describe_cluster(ClusterId=nobody), "Cluster id 'j-NOBODY' is not valid"),
        (lambda: emr.list_steps(ClusterId=nobody), "Cluster id 'j-NOBODY' is not valid"),
        (lambda: emr.list_instances(ClusterId=nobody), "Cluster id 'j-NOBODY' is not valid"),
        (lambda: emr.list_bootstrap_actions(ClusterId=nobody), "Cluster id 'j-NOBODY' is not valid"),
        (lambda: emr.terminate_job_flows(JobFlowIds=[nobody]), "Cluster id 'j-NOBODY' is not valid"),
        (lambda: clusters.add(nobody, shell("lost", "true")), "Cluster id 'j-NOBODY' is not valid"),
        (lambda: emr.describe_step(ClusterId=cluster, StepId="s-NONE"), "Step id 's-NONE' is not valid"),
        (lambda: emr.cancel_steps(ClusterId=cluster, StepIds=["s-NONE"]), "Step id 's-NONE' is not valid"),
        (lambda: emr.list_instance_fleets(ClusterId=cluster), "instance groups"),
    ):
        with pytest.raises(ClientError, match=message) as refused:
            request()
        assert refused.value.response["Error"]["Code"] == "InvalidRequestException"


@pytest.mark.parametrize(
    ("request_part", "message"),
    [
        ({"Configurations": [{"Classification": "hive-site"}]}, "'hive-site' is not emulated"),
        ({"StepConcurrencyLevel": 257}, "must be 1 to 256"),
        ({"CustomAmiId": "ami-12345678"}, "CustomAmiId is not emulated"),
        ({"Instances": {"InstanceFleets": []}}, "use InstanceGroups"),
    ],
)
def test_what_would_be_ignored_is_refused(
    clusters: EmrClusters, request_part: dict[str, object], message: str
) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        clusters.start(**request_part)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_an_operation_that_is_not_emulated_answers_501(clusters: EmrClusters) -> None:
    with pytest.raises(ClientError, match="ListStudios") as refused:
        clusters.emr.list_studios()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
