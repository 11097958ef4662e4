"""The sample runs every job, each after those that it needs."""

from __future__ import annotations

from config.jobs import INGEST_JOB, JOBS, KPI_JOBS, RECONCILE_JOB
from local_stack.sample import LAST_TABLE, WAVES


def test_every_job_runs_once_and_after_those_that_it_needs() -> None:
    jobs = [job for wave in WAVES for job in wave]
    assert sorted(jobs) == sorted(JOBS)
    number = {job: index for index, wave in enumerate(WAVES) for job in wave}
    for kpi in KPI_JOBS:
        assert number[INGEST_JOB.name] < number[kpi.name] < number[RECONCILE_JOB.name]
    assert number["weather_extract"] < number["weather_transform"] < number["kpi_sensor_weather"]
    assert number["kpi_temp_humidity"] < number["kpi_sensor_weather"]


def test_the_table_that_tells_a_sample_is_of_the_last_wave() -> None:
    assert LAST_TABLE in {table for job in WAVES[-1] for table in JOBS[job].outputs}
