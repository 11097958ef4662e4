"""Clusters that no live run owns are found, told with their price, and terminated; no others."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import HTTPClientError
from moto.emr.models import Cluster

from config import names
from config.cluster import run_job_flow_request
from config.prices import cluster_use
from config.project_config import DEFAULT_REGION, Settings
from lakehouse.alerts import AlertKind
from lakehouse.aws_calls import LOOKS_AFTER_ERROR
from lakehouse.clusters import cluster_name, run_tags
from local_stack.aws.emr.validation import MAX_TERMINATED_CLUSTERS
from tests.support.emr_runs import with_cluster
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

OWNER = "manual__2026-11-22T03:00:00+00:00"


@pytest.fixture
def sweeper(dag_bag: DagBag, lossy_aws: LossyAws) -> TaskRunner:
    """A run of the sweeper that terminates."""
    return TaskRunner(dag_bag.dags[names.SWEEPER_DAG_ID], run_id="sweep")


def leak(dag: DAG, run_id: str = OWNER) -> str:
    """Start a run's cluster and forget the run: its id."""
    run = TaskRunner(dag, run_id=run_id)
    with_cluster(run)
    cluster_id: str = run.xcom_pull("create_cluster")
    return cluster_id


def leak_many(settings: Settings, count: int) -> list[str]:
    """Start clusters of as many runs that nobody knows: their ids."""
    emr, found = boto3.client("emr", region_name=DEFAULT_REGION), []
    for number in range(count):
        run = (names.DAG_ID, f"manual__{number}")
        request = run_job_flow_request(settings, name=cluster_name(*run), tags=run_tags(*run))
        found.append(emr.run_job_flow(**request)["JobFlowId"])
    return found


def swept(sweeper: TaskRunner, **params: Any) -> dict[str, Any]:
    """Sweep; what the task returned."""
    sweeper.params.update(params)
    sweeper.run("sweep")
    found: dict[str, Any] = sweeper.xcom_pull("sweep")
    return found


def live(aws: LossyAws) -> list[str]:
    """Ids of the clusters that live."""
    return [cluster.id for cluster in aws.emr.clusters.values() if cluster.state == "WAITING"]


def test_a_leaked_cluster_is_terminated_and_its_price_is_told(
    sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws
) -> None:
    leaked = leak(kpis_dag)
    found = swept(sweeper)
    assert found["clusters"] == [leaked]
    assert found["usd_saved_a_day"] == pytest.approx(cluster_use(2, 24 * 3600).usd, abs=0.01)
    assert found["machine_hours"] > 0
    assert live(lossy_aws) == []
    assert swept(sweeper)["clusters"] == []


@pytest.mark.parametrize("where", ["here", "with other runs"])
def test_a_cluster_whose_run_lives_is_left_alone(
    sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws, where: str
) -> None:
    owned = leak(kpis_dag)
    sweeper.live_runs = {(names.DAG_ID, OWNER)}
    if where == "with other runs":
        leak(kpis_dag, "manual__gone")
    swept(sweeper)
    assert live(lossy_aws) == [owned]


def test_a_dry_run_terminates_nothing(sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws) -> None:
    leaked = leak(kpis_dag)
    found = swept(sweeper, dry_run=True)
    assert (found["clusters"], found["usd_saved_a_day"]) == ([leaked], 0.0)
    assert live(lossy_aws) == [leaked]
    assert lossy_aws.called("TerminateJobFlows") == []


@pytest.mark.parametrize(("environment", "is_dry"), [("dev", False), ("prod", True)])
def test_in_prod_it_only_tells_unless_told_otherwise(
    environment: str, is_dry: bool, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.dags.conftest import DAGS_FOLDER

    monkeypatch.setenv("ENVIRONMENT", environment)
    dag = DagBag(DAGS_FOLDER / "cluster_sweeper_dag.py").dags[names.SWEEPER_DAG_ID]
    assert dag.params["dry_run"] is is_dry


@pytest.mark.parametrize(
    "tags",
    [
        {"project": "another"},
        {"project": names.PROJECT, "environment": "prod", "dag_id": names.DAG_ID, "run_id": "gone"},
        {"project": names.PROJECT, "environment": "dev"},
    ],
    ids=["of another project", "of another environment", "of no run"],
)
def test_what_is_not_ours_is_left_alone(
    sweeper: TaskRunner, lossy_aws: LossyAws, tags: dict[str, str]
) -> None:
    boto3.client("emr", region_name=DEFAULT_REGION).run_job_flow(
        Name="theirs",
        Instances={
            "MasterInstanceType": "m6g.xlarge",
            "InstanceCount": 1,
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    assert swept(sweeper)["clusters"] == []
    assert len(live(lossy_aws)) == 1


def test_a_run_whose_id_does_not_fit_a_tag_keeps_its_cluster(
    sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws
) -> None:
    run_id = "manual__ünïcode!" + "x" * 300
    owned = leak(kpis_dag, run_id)
    sweeper.live_runs = {(names.DAG_ID, run_id)}
    assert swept(sweeper)["clusters"] == []
    sweeper.live_runs = set()
    assert swept(sweeper)["clusters"] == [owned]


def test_a_create_that_timed_out_after_aws_accepted_leaves_no_cluster(
    sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    run = TaskRunner(kpis_dag)
    run.run("check_settings")
    # The look before creating finds none; whether AWS accepted cannot be looked up afterwards.
    lossy_aws.faults["ListClusters"] = [None, *["never arrives"] * LOOKS_AFTER_ERROR]
    lossy_aws.faults["RunJobFlow"] = ["answer lost"]
    with pytest.raises(HTTPClientError):
        run.run("create_cluster")
    lossy_aws.faults.clear()
    assert len(lossy_aws.called("RunJobFlow")) == 1
    (leaked,) = live(lossy_aws)
    assert run.xcom_pull("create_cluster") is None, "nobody has its id"
    # The scheduler is killed here; the run is marked as failed: no teardown runs any more.
    assert swept(sweeper)["clusters"] == [leaked]
    assert live(lossy_aws) == []


def test_any_number_of_leaked_clusters_is_terminated(
    sweeper: TaskRunner, settings: Settings, lossy_aws: LossyAws
) -> None:
    leaked = leak_many(settings, 12)
    assert set(swept(sweeper)["clusters"]) == set(leaked)
    assert live(lossy_aws) == []
    asked = [request["JobFlowIds"] for request in lossy_aws.called("TerminateJobFlows")]
    assert max(map(len, asked)) <= MAX_TERMINATED_CLUSTERS


def test_a_throttled_terminate_is_sent_again(sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws) -> None:
    leak(kpis_dag)
    lossy_aws.faults["TerminateJobFlows"] = ["throttled", "throttled"]
    swept(sweeper)
    assert live(lossy_aws) == []


def test_a_cluster_that_cannot_be_terminated_is_named_hinders_no_other_and_is_left_to_a_retry(
    sweeper: TaskRunner, settings: Settings, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    leaked = leak_many(settings, 3)
    lossy_aws.faults["TerminateJobFlows"] = ["throttled", "throttled"]
    with pytest.raises(AirflowException, match="1 of 3 clusters not terminated") as raised:
        swept(sweeper)
    (left,) = live(lossy_aws)
    assert [cluster for cluster in leaked if cluster in str(raised.value)] == [left]
    assert "Rate exceeded" in str(raised.value)
    assert swept(sweeper)["clusters"] == [left]
    assert live(lossy_aws) == []


def test_a_failed_sweep_is_told(sweeper: TaskRunner) -> None:
    (alert,) = sweeper.dag.get_task("sweep").on_failure_callback
    assert alert.kind == AlertKind.LEAKED_CLUSTER


@pytest.mark.parametrize("is_dry", [False, True])
def test_a_report_does_not_hang_on_its_alerts(
    sweeper: TaskRunner,
    settings: Settings,
    lossy_aws: LossyAws,
    monkeypatch: pytest.MonkeyPatch,
    is_dry: bool,
) -> None:
    monkeypatch.setenv("ALERTS_TOPIC_ARN", "arn:aws:sns:eu-north-1:111122223333:gone")
    leaked = leak_many(settings, 2)
    found = swept(sweeper, dry_run=is_dry)
    assert set(found["clusters"]) == set(leaked)
    assert (found["usd_saved_a_day"] > 0) is not is_dry
    assert set(live(lossy_aws)) == (set(leaked) if is_dry else set())


def test_a_cluster_that_is_cleared_into_a_second_run_is_adopted_not_leaked(
    sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws
) -> None:
    first = leak(kpis_dag)
    sweeper.live_runs = {(names.DAG_ID, OWNER)}
    assert leak(kpis_dag) == first, "create is idempotent for its run"
    swept(sweeper)
    assert live(lossy_aws) == [first]


def test_clusters_that_are_ending_are_not_counted(
    sweeper: TaskRunner, kpis_dag: DAG, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    run = TaskRunner(kpis_dag)
    run.run("check_settings")
    run.start("create_cluster")
    (cluster,) = lossy_aws.emr.clusters.values()
    assert isinstance(cluster, Cluster)
    cluster.terminate()
    assert swept(sweeper)["clusters"] == []
