"""Rules that every DAG of the project keeps."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrTerminateJobFlowOperator,
)
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.definitions.deadline import DeadlineReference
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from config.jobs import ALL_JOBS, INGEST_JOB, JOBS, KPI_JOBS, RECONCILE_JOB, WEATHER_CHECK, WEATHER_JOBS
from config.tables import KPI_TABLES
from lakehouse.defaults import DAG_DEFAULT_ARGS
from lakehouse.operators import CreateRunClusterOperator, SparkStepOperator, TerminateRunClusterOperator
from tests.dags.conftest import DAGS_FOLDER

DAG_MODULES = sorted(path.stem for path in DAGS_FOLDER.glob("*.py"))


@pytest.fixture(params=DAG_MODULES)
def dag(request: pytest.FixtureRequest, dag_bag: DagBag) -> DAG:
    """Each DAG in turn: one a file."""
    (found,) = (dag for dag in dag_bag.dags.values() if Path(dag.fileloc).stem == request.param)
    return found


def test_default_arguments_come_from_one_place(dag: DAG) -> None:
    assert dag.default_args == DAG_DEFAULT_ARGS


def test_dag_says_who_and_what(dag: DAG) -> None:
    assert dag.doc_md == importlib.import_module(Path(dag.fileloc).stem).__doc__
    assert dag.description
    assert dag.tags
    assert {task.owner for task in dag.tasks} == {DAG_DEFAULT_ARGS["owner"]}


def test_every_task_and_group_says_what_it_is(dag: DAG) -> None:
    assert [task.task_id for task in dag.tasks if not task.doc_md] == []
    groups = [group for name, group in dag.task_group_dict.items() if name]
    assert [group.group_id for group in groups if not group.tooltip] == []


def test_runs_do_not_overlap_or_catch_up(dag: DAG) -> None:
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_no_run_timeout(dag: DAG) -> None:
    assert dag.dagrun_timeout is None, "it would skip the teardown"


def test_parameters_are_typed_described_and_have_valid_defaults(dag: DAG) -> None:
    for name, _ in dag.params.items():
        schema = dag.params.get_param(name).schema
        assert schema["type"], name
        assert dag.params.get_param(name).description, name
    dag.params.validate()


def test_dag_survives_serialization(dag: DAG) -> None:
    again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert set(again.task_dict) == set(dag.task_dict)


def test_emr_goes_through_the_safe_operators(dag: DAG) -> None:
    plain = (EmrCreateJobFlowOperator, EmrAddStepsOperator, EmrTerminateJobFlowOperator)
    safe = (CreateRunClusterOperator, SparkStepOperator, TerminateRunClusterOperator)
    emr_tasks = [task for task in dag.tasks if isinstance(task, plain)]
    assert all(isinstance(task, safe) for task in emr_tasks)
    assert all(task.aws_conn_id is None for task in emr_tasks), "the environment holds the credentials"


def test_who_creates_a_cluster_terminates_it(dag: DAG) -> None:
    for create in (task for task in dag.tasks if isinstance(task, CreateRunClusterOperator)):
        teardowns = [task for task in create.downstream_list if task.is_teardown]
        assert [type(task) for task in teardowns] == [TerminateRunClusterOperator]
        (terminate,) = teardowns
        assert create.is_setup
        assert terminate.on_failure_fail_dagrun, "a failed terminate must not end green"
        assert terminate.trigger_rule == TriggerRule.ALL_DONE_SETUP_SUCCESS
        before = [task for task in create.upstream_list if task.is_setup]
        assert before, "if creating fails half-way, another setup must let the teardown run"
        assert all(terminate in task.downstream_list for task in before)
        steps = [task for task in dag.tasks if isinstance(task, SparkStepOperator)]
        assert all(terminate in step.downstream_list for step in steps)


def test_every_job_counts_for_the_runs_verdict(dag: DAG) -> None:
    """A teardown that may fail the run hides what is before it, so that another one has to look at it."""
    for step in (task for task in dag.tasks if isinstance(task, SparkStepOperator)):
        (verdict,) = (task for task in step.downstream_list if task.task_id == "all_jobs_done")
        assert verdict.is_teardown, "marking the run as failed would skip it"
        assert verdict.on_failure_fail_dagrun
        assert verdict.downstream_list == []


def test_a_late_run_and_a_failed_one_are_told(dag: DAG) -> None:
    if not any(isinstance(task, CreateRunClusterOperator) for task in dag.tasks):
        return
    (deadline,) = dag.deadline
    assert deadline.reference == DeadlineReference.DAGRUN_LOGICAL_DATE, "or no task can be cleared"
    assert deadline.callback.path == "lakehouse.alerts.AlertNotifier", "the triggerer imports it by this name"
    told = {task.task_id for task in dag.tasks if task.on_failure_callback}
    assert told == {"check_settings", "all_jobs_done", "terminate_cluster"}


def test_what_a_run_did_is_recorded_once_its_cluster_is_gone(dag: DAG) -> None:
    for terminate in (task for task in dag.tasks if isinstance(task, TerminateRunClusterOperator)):
        record = dag.get_task("record_run")
        assert record.is_teardown, "it is written whatever happened"
        assert record in terminate.downstream_list
        assert not record.on_failure_fail_dagrun


def test_the_report_waits_for_the_record_and_needs_none(kpis_dag: DAG) -> None:
    report = kpis_dag.get_task("publish_report")
    assert "record_run" in report.upstream_task_ids
    assert report.trigger_rule == TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, "published though the record failed"
    assert not report.is_teardown
    tis: Any = [Mock(task_id=task.task_id, state="success") for task in kpis_dag.tasks]
    judged = DagRun()._tis_for_dagrun_state(dag=kpis_dag, tis=tis)
    assert {ti.task_id for ti in judged} == {"all_jobs_done", "terminate_cluster", "publish_report"}


def test_waiting_outlasts_the_steps_own_time_limits(dag: DAG) -> None:
    steps = [task for task in dag.tasks if isinstance(task, SparkStepOperator)]
    queue_seconds = sum(ALL_JOBS[step.task_id].time_limit_minutes * 60 for step in steps)
    assert all(step.wait_limit.total_seconds() > queue_seconds for step in steps)


def test_steps_are_named_like_their_jobs(kpis_dag: DAG) -> None:
    steps = {task.task_id for task in kpis_dag.tasks if isinstance(task, SparkStepOperator)}
    assert steps == set(JOBS)


def test_kpis_follow_ingest_and_the_weather_does_not(kpis_dag: DAG) -> None:
    behind = kpis_dag.get_task(INGEST_JOB.name).get_flat_relative_ids(upstream=False)
    assert {job.name for job in KPI_JOBS} <= behind
    assert behind.isdisjoint({"weather_extract", "weather_transform"})


def test_reconcile_follows_the_kpis(kpis_dag: DAG) -> None:
    before = kpis_dag.get_task(RECONCILE_JOB.name).get_flat_relative_ids(upstream=True)
    assert {INGEST_JOB.name, *(job.name for job in KPI_JOBS)} <= before


def test_failed_weather_check_stops_only_the_weather(kpis_dag: DAG) -> None:
    behind = kpis_dag.get_task(WEATHER_CHECK).get_flat_relative_ids(upstream=False)
    gates = {"weather_landed", "weather_and_climate_published", "all_jobs_done", "publish_report"}
    assert behind == {job.name for job in WEATHER_JOBS} | gates | {"terminate_cluster", "record_run"}
    assert "create_cluster" not in kpis_dag.get_task(WEATHER_CHECK).get_flat_relative_ids(upstream=True)


def test_weather_steps_follow_each_other_and_the_climate(kpis_dag: DAG) -> None:
    extract, transform, join = (kpis_dag.get_task(job.name) for job in WEATHER_JOBS)
    assert WEATHER_CHECK in extract.upstream_task_ids
    assert extract.task_id in transform.get_flat_relative_ids(upstream=True)
    assert {transform.task_id, "kpi_temp_humidity"} <= join.get_flat_relative_ids(upstream=True)


def test_gates_pass_where_a_job_is_left_out(kpis_dag: DAG) -> None:
    for task_id in ("events_ingested", "events_counted", "weather_landed", "weather_and_climate_published"):
        assert kpis_dag.get_task(task_id).trigger_rule == TriggerRule.NONE_FAILED


def test_kpi_tables_are_assets_of_the_task_that_writes_them(kpis_dag: DAG) -> None:
    outlets = [asset.name for job in KPI_JOBS for asset in kpis_dag.get_task(job.name).outlets]
    assert sorted(outlets) == sorted(table.name for table in KPI_TABLES)


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("jobs", ["kpi_unknown"], "kpi_unknown"),
        ("jobs", [], "non-empty"),
        ("jobs", "kpi_event_geo", "array"),
        ("jobs", ["kpi_event_geo", "kpi_event_geo"], "non-unique"),
        ("core_nodes", 0, "minimum"),
        ("core_nodes", 1000, "maximum"),
        ("core_nodes", "many", "integer"),
        ("weather_days", 0, "minimum"),
        ("weather_days", 100_000, "maximum"),
    ],
)
def test_a_bad_run_parameter_is_refused_by_name(
    kpis_dag: DAG, parameter: str, value: object, said: str
) -> None:
    with pytest.raises(ParamValidationError, match=said):
        kpis_dag.params.get_param(parameter).resolve(value)


def test_dags_import_neither_spark_nor_the_jobs() -> None:
    check = (
        f"import sys; import {', '.join(DAG_MODULES)}; "
        "unwanted = ('pyspark', 'emr_jobs', 'local_stack', 'pyiceberg'); "
        "sys.exit([name for name in unwanted if name in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
