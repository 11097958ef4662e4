"""The command line of the jobs."""

from __future__ import annotations

import pytest

from config.jobs import JOBS, KPI_JOBS, Bundle, spark_submit_arguments
from config.project_config import Settings
from emr_jobs.edge.arguments import JobArguments
from emr_jobs.edge.kpi import parse_arguments
from emr_jobs.edge.kpi_job import KpiJob
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.kpi_sensor_health import sibling_name
from emr_jobs.kpi_temp_humidity import KPI as TEMP_HUMIDITY

KPIS = (SENSOR_HEALTH, TEMP_HUMIDITY, EVENT_GEO)
GOOD = ["s3://bronze/clickstream/", "analytics", "sensor_health", "s3://iceberg/"]


def refuse(capsys: pytest.CaptureFixture[str], argv: list[str], kpi: KpiJob = SENSOR_HEALTH) -> str:
    """Parse arguments that must be refused; returns what stderr says."""
    with pytest.raises(SystemExit) as exit_info:
        parse_arguments(kpi, argv)
    assert exit_info.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("usage: spark-submit kpi_")
    return message


def test_every_kpi_job_of_config_has_its_module() -> None:
    assert [kpi.job for kpi in KPIS] == list(KPI_JOBS)


def test_four_arguments() -> None:
    assert parse_arguments(SENSOR_HEALTH, GOOD) == JobArguments(
        source="s3://bronze/clickstream/",
        database="analytics",
        table="sensor_health",
        warehouse="s3://iceberg/",
    )


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.job.name)
def test_parses_the_step_that_the_dag_submits(kpi: KpiJob) -> None:
    settings = Settings(
        bronze_bucket="a-bronze", iceberg_bucket="an-iceberg", scripts_bucket="scripts", logs_bucket="logs"
    )
    step = spark_submit_arguments(JOBS[kpi.job.name], settings, Bundle("s3://scripts/bundles/0123/"))
    script = step.index(f"s3://scripts/bundles/0123/{kpi.job.name}.py")

    assert parse_arguments(kpi, step[script + 1 :]) == JobArguments(
        source="clickstream_events",
        database="analytics",
        table=kpi.job.table,
        warehouse="s3://an-iceberg/",
    )


@pytest.mark.parametrize(
    "argv",
    [[], GOOD[:1], GOOD[:3], [*GOOD, "more"], [*GOOD, "--unknown"]],
    ids=["none", "one", "three", "five", "unknown option"],
)
def test_wrong_number_of_arguments(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    refuse(capsys, argv)


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.job.name)
@pytest.mark.parametrize(
    "bad",
    ["x; DROP TABLE y", "x`y", "a.b", "a-b", "A", "", "1x", "x'", "x--", "a b", "sensor_health\n", "x" * 256],
)
@pytest.mark.parametrize(("place", "name"), [(1, "ICEBERG_DB"), (2, "ICEBERG_TABLE")])
def test_names_that_could_be_sql_are_refused(
    capsys: pytest.CaptureFixture[str], kpi: KpiJob, bad: str, place: int, name: str
) -> None:
    argv = list(GOOD)
    argv[place] = bad

    assert f"argument {name}:" in refuse(capsys, argv, kpi)


@pytest.mark.parametrize(
    "bad",
    [
        "s3://b/x'; DROP",
        's3://b/"',
        "s3://b/`x`",
        "s3://b/a;b",
        "s3://b/\n",
        "s3://b/--x",
        "s3://b/a\\b",
        "",
        " ",
    ],
)
@pytest.mark.parametrize(("place", "name"), [(0, "BRONZE_PATH"), (3, "ICEBERG_WAREHOUSE")])
def test_paths_that_could_be_sql_are_refused(
    capsys: pytest.CaptureFixture[str], bad: str, place: int, name: str
) -> None:
    argv = list(GOOD)
    argv[place] = bad

    assert f"argument {name}:" in refuse(capsys, argv)


@pytest.mark.parametrize("bad", ["clickstream-events", "a.b.c", "Events", "events;"])
def test_source_without_slash_must_be_the_name_of_a_table(
    capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    assert "argument BRONZE_PATH:" in refuse(capsys, [bad, *GOOD[1:]])


def test_warehouse_must_be_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a folder" in refuse(capsys, [*GOOD[:3], "warehouse"])


@pytest.mark.parametrize(
    ("source", "is_table"),
    [
        ("clickstream_events", True),
        ("analytics.clickstream_events", True),
        ("s3://bronze/clickstream/", False),
        ("s3a://bronze/clickstream/dt=2026-06-01/hour=05/", False),
        ("./bronze", False),
        ("/data/sensor events/bronze", False),
        ("file:///data/bronze", False),
    ],
)
def test_a_name_is_a_table_and_a_path_has_a_slash(source: str, is_table: bool) -> None:
    assert parse_arguments(SENSOR_HEALTH, [source, *GOOD[1:]]).source_is_table is is_table


def test_tables_of_a_job_of_two() -> None:
    assert [table.name("event_geo_kpis") for table in EVENT_GEO.tables] == [
        "event_geo_kpis_events",
        "event_geo_kpis_faulty_geo",
    ]
    assert [sibling_name(name) for name in ("sensor_health", "trial_sensor_health", "other")] == [
        "status_health",
        "trial_status_health",
        "status_health",
    ]


def test_two_tables_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    message = refuse(capsys, [*GOOD[:2], "status_health", GOOD[3]])

    assert "'status_health' is the name of the job's other table" in message


def test_help_teaches_by_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse_arguments(EVENT_GEO, ["--help"])

    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    assert "s3://my-bronze/clickstream/ analytics event_geo_kpis s3://my-iceberg/" in text
    assert "<BRONZE_PATH> <ICEBERG_DB> <ICEBERG_TABLE> <ICEBERG_WAREHOUSE> [options]" in text
