"""Table specs, jobs and cluster agree with each other and with the limits of the services."""

import re

import pytest

from config import cluster, jobs, names, tables
from config.project_config import Settings

SETTINGS = Settings("lake-bronze", "lake-iceberg", "lake-scripts", "lake-logs")


@pytest.mark.parametrize("spec", tables.TABLES.values(), ids=lambda spec: spec.name)
def test_keys_partitions_and_sort_name_columns_of_the_table(spec):
    known = {*spec.column_names, *(column.name for column in tables.BRONZE_PARTITION_COLUMNS)}
    assert len(set(spec.column_names)) == len(spec.column_names)
    named = [*spec.key, *spec.sort, *(re.sub(r"\w+\((\w+)\)", r"\1", part) for part in spec.partition)]
    assert spec.key
    assert set(named) <= known


def test_every_column_says_what_it_means():
    for spec in tables.TABLES.values():
        assert spec.doc
        for column in spec.columns:
            assert column.doc, f"{spec.name}.{column.name}"


def test_every_kpi_table_is_written_by_exactly_one_job():
    written = [table for job in jobs.KPI_JOBS for table in job.outputs]
    assert sorted(written) == sorted(spec.name for spec in tables.KPI_TABLES)


def test_a_step_is_bounded_in_time_and_named_like_its_job():
    bundle = jobs.Bundle("s3://lake-scripts/bundles/abc/")
    for job in jobs.JOBS.values():
        step = jobs.emr_step(job, SETTINGS, bundle)
        arguments = step["HadoopJarStep"]["Args"]
        assert step["Name"] == job.name
        assert arguments[:3] == ["timeout", "--kill-after=60", str(job.time_limit_minutes * 60)]
        first = arguments.index(job.source(SETTINGS))
        assert arguments[first:] == [
            job.source(SETTINGS),
            "analytics",
            job.table,
            "s3://lake-iceberg/",
            *job.options(SETTINGS),
        ]


def test_the_cluster_ends_itself_and_is_tagged():
    request = cluster.run_job_flow_request(SETTINGS, name="run", tags={"run": "manual_1"})
    assert request["AutoTerminationPolicy"] == {"IdleTimeout": 900}
    assert request["Instances"]["InstanceGroups"][1]["InstanceCount"] == 2
    assert {"Key": "run", "Value": "manual_1"} in request["Tags"]
    assert {"Key": cluster.MANAGED_POLICY_TAG, "Value": "true"} in request["Tags"]
    limits = request["ManagedScalingPolicy"]["ComputeLimits"]
    assert (limits["MinimumCapacityUnits"], limits["MaximumOnDemandCapacityUnits"]) == (2, 2)
    assert limits["MaximumCapacityUnits"] > limits["MaximumOnDemandCapacityUnits"]
    # EMR refuses CANCEL_AND_WAIT and TERMINATE_CLUSTER with concurrent steps; ours say CONTINUE.
    assert request["StepConcurrencyLevel"] > 1


def test_stack_names():
    assert names.stack_name("dev") == "clickstream-etl-dev"
    assert names.stack_name("prod", "streaming") == "clickstream-etl-prod-streaming"
