"""DAGs of one job: their parameters are options that the job's own parser takes, or are refused."""

from __future__ import annotations

import argparse
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from config import names
from config.jobs import ALL_JOBS
from emr_jobs import backfill, erase_sensor, maintain_tables, replay_quarantine
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

JOBS = {
    names.MAINTENANCE_DAG_ID: ("maintain_tables", maintain_tables.build_parser()),
    names.BACKFILL_DAG_ID: ("backfill", backfill.build_parser()),
    names.REPLAY_DAG_ID: ("replay_quarantine", replay_quarantine.build_parser()),
    names.ERASURE_DAG_ID: ("erase_sensor", erase_sensor.build_parser()),
}

DAYS = {"first_day": "2026-06-01", "last_day": "2026-06-02"}


def parsed(dag_bag: DagBag, dag_id: str, params: dict[str, Any]) -> argparse.Namespace:
    """What the job makes of the step that a run with these parameters submits."""
    job, parser = JOBS[dag_id]
    run = TaskRunner(dag_bag.dags[dag_id], params=params)
    run.run("check_settings", "publish_bundle", "take_lease", "create_cluster")
    (step,) = run.rendered(job).steps
    arguments: list[str] = step["HadoopJarStep"]["Args"]
    assert step["Name"] == job
    assert arguments[:4] == [
        "timeout",
        "--kill-after=60",
        str(ALL_JOBS[job].time_limit_minutes * 60),
        "spark-submit",
    ]
    (script,) = (index for index, part in enumerate(arguments) if part.endswith(ALL_JOBS[job].module_file))
    return parser.parse_args(arguments[script + 1 :])


@pytest.mark.parametrize(
    ("dag_id", "params", "expected"),
    [
        (names.MAINTENANCE_DAG_ID, {}, {"source": "all", "remove_orphans": False, "retention_days": 90}),
        (names.MAINTENANCE_DAG_ID, {"remove_orphans": True}, {"remove_orphans": True}),
        (names.BACKFILL_DAG_ID, DAYS, {"apply": False, "source": "s3://test-bronze/clickstream/"}),
        (names.BACKFILL_DAG_ID, {**DAYS, "dry_run": False}, {"apply": True}),
        (names.ERASURE_DAG_ID, {"sensor_id": 42}, {"apply": False, "sensor_id": 42}),
        (names.ERASURE_DAG_ID, {"sensor_id": 0, "dry_run": False}, {"apply": True, "sensor_id": 0}),
        (
            names.REPLAY_DAG_ID,
            {"reasons": ["not_finite", "missing_field"], "uuid": "u"},
            {"reason": ["not_finite", "missing_field"], "uuid": "u", "source_file": ""},
        ),
        (names.REPLAY_DAG_ID, {"correction": "s3://b/c"}, {"correction": "s3://b/c", "reason": []}),
    ],
)
def test_parameters_become_options_of_the_job(
    lossy_aws: LossyAws, dag_bag: DagBag, dag_id: str, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    options = vars(parsed(dag_bag, dag_id, params))

    assert {name: options[name] for name in expected} == expected
    assert options["table"] == ALL_JOBS[JOBS[dag_id][0]].table


@pytest.mark.parametrize(
    ("dag_id", "params", "said"),
    [
        (names.BACKFILL_DAG_ID, {}, "no range: None to None"),
        (names.BACKFILL_DAG_ID, {"first_day": "2026-06-02", "last_day": "2026-06-01"}, "no range"),
        (names.ERASURE_DAG_ID, {}, "names no sensor"),
        (names.REPLAY_DAG_ID, {}, "Choose entries"),
    ],
)
def test_parameters_that_say_nothing_end_the_run_before_it_costs(
    lossy_aws: LossyAws, dag_bag: DagBag, dag_id: str, params: dict[str, Any], said: str
) -> None:
    run = TaskRunner(dag_bag.dags[dag_id], params=params)
    run.run("check_settings")

    with pytest.raises(AirflowFailException, match=said):
        run.run("publish_bundle")


@pytest.mark.parametrize(
    ("dag_id", "name", "value"),
    [
        (names.BACKFILL_DAG_ID, "first_day", "yesterday"),
        (names.BACKFILL_DAG_ID, "dry_run", "no"),
        (names.REPLAY_DAG_ID, "reasons", ["typo"]),
        (names.REPLAY_DAG_ID, "correction", "/tmp/file"),
        (names.ERASURE_DAG_ID, "sensor_id", "SENSOR_0042"),
    ],
)
def test_a_bad_parameter_is_refused(dag_bag: DagBag, dag_id: str, name: str, value: object) -> None:
    with pytest.raises(ParamValidationError, match=f"{value}"):
        dag_bag.dags[dag_id].params.get_param(name).resolve(value)


@pytest.mark.parametrize("dag_id", [names.BACKFILL_DAG_ID, names.ERASURE_DAG_ID])
def test_what_destroys_is_a_dry_run_by_default(dag_bag: DagBag, dag_id: str) -> None:
    assert dag_bag.dags[dag_id].params["dry_run"] is True
