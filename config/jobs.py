"""The Spark jobs: one name for module, Airflow task and EMR step, and the arguments each is given.

DAGs build steps from here without importing the jobs; a test parses every rendered step with
that job's own argument parser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.project_config import Settings


@dataclass(frozen=True)
class Job:
    """A Spark job that runs as one EMR step.

    ``table`` is the ICEBERG_TABLE argument: a table, or the prefix of the tables that it writes;
    ``outputs`` are all the tables that it writes. ``source`` gives the BRONZE_PATH argument,
    ``options`` what follows the four arguments in every run.
    """

    name: str
    table: str
    outputs: tuple[str, ...]
    doc: str
    time_limit_minutes: int = 60
    source: Callable[[Settings], str] = lambda settings: settings.bronze_path
    options: Callable[[Settings], tuple[str, ...]] = lambda settings: ()

    @property
    def module_file(self) -> str:
        """The entry script below emr_jobs/."""
        return f"{self.name}.py"


DEFAULT_OPEN_HOURS = 48
"""How long an hour's folder of bronze may get files: a day of stream retention, and a day of retries."""


def _open_hours(settings: Settings) -> tuple[str, ...]:
    return ("--open-hours", str(settings.profile.stream_retention_hours + 24))


INGEST_JOB = Job(
    name="ingest_events",
    table="clickstream_events",
    outputs=("clickstream_events", "clickstream_quarantine"),
    doc="New bronze files into the table of events, once each; what is invalid into quarantine",
    options=lambda settings: (
        "--conversion-errors",
        settings.conversion_errors_path,
        *_open_hours(settings),
    ),
)


def _events_table(settings: Settings) -> str:
    return INGEST_JOB.table


KPI_JOBS = (
    Job(
        name="kpi_sensor_health",
        table="sensor_health",
        outputs=("sensor_health", "status_health"),
        doc="Faulty share per sensor, sensors per status",
        source=_events_table,
    ),
    Job(
        name="kpi_temp_humidity",
        table="temp_humidity_kpis",
        outputs=("temp_humidity_kpis",),
        doc="Climate per day and place",
        source=_events_table,
    ),
    Job(
        name="kpi_event_geo",
        table="event_geo_kpis",
        outputs=("event_geo_kpis_events", "event_geo_kpis_faulty_geo"),
        doc="Events per day and type, faulty events per place",
        source=_events_table,
    ),
)


def _bookkeeping_options(settings: Settings) -> tuple[str, ...]:
    return ("--region", settings.aws_region, "--checkpoint-store", settings.profile.checkpoint_store)


WEATHER_JOBS = (
    Job(
        name="weather_extract",
        table="weather_daily",
        outputs=(),
        doc="Daily weather of the grid from Open-Meteo into the raw landing",
        source=lambda settings: settings.weather_landing_path,
        options=lambda settings: (*_bookkeeping_options(settings), *settings.weather.options),
    ),
    Job(
        name="weather_transform",
        table="weather_daily",
        outputs=("weather_daily", "weather_region_daily", "data_quality_metrics"),
        doc="Raw weather into tables per day and sensor, and per day and region",
        source=lambda settings: settings.weather_landing_path,
        options=_bookkeeping_options,
    ),
    Job(
        name="kpi_sensor_weather",
        table="sensor_weather_daily",
        outputs=("sensor_weather_daily",),
        doc="Measured climate beside the weather of the nearest grid point",
        source=lambda settings: "temp_humidity_kpis",
    ),
)
"""In the order in which they run."""

RECONCILE_JOB = Job(
    name="reconcile",
    table="clickstream_events",
    outputs=("data_quality_metrics",),
    doc="Manifests, delivered rows, events, quarantine and KPIs add up",
    options=lambda settings: (
        "--conversion-errors",
        settings.conversion_errors_path,
        "--manifests",
        settings.manifests_path,
    ),
)

WEATHER_CHECK = "weather_check"
"""Task on the Airflow worker, before a cluster is used for weather: ``python -m emr_jobs.weather_check``."""

JOBS: dict[str, Job] = {job.name: job for job in (INGEST_JOB, *KPI_JOBS, *WEATHER_JOBS, RECONCILE_JOB)}

MAINTAIN_TABLES = Job(
    name="maintain_tables",
    table="data_quality_metrics",
    outputs=("data_quality_metrics",),
    doc="Compaction, expiry of rows and snapshots, removal of orphans",
    time_limit_minutes=180,
    source=lambda settings: "all",
    options=lambda settings: ("--retention-days", str(settings.profile.data_retention_days)),
)

REPLAY_QUARANTINE = Job(
    name="replay_quarantine",
    table="clickstream_events",
    outputs=("clickstream_events", "clickstream_quarantine"),
    doc="Chosen entries of quarantine judged anew, as they are or corrected",
)

MAX_BACKFILL_DAYS = 366
"""So many days one backfill computes anew, at most."""

BACKFILL = Job(
    name="backfill",
    table="clickstream_events",
    outputs=(
        "clickstream_events",
        "clickstream_quarantine",
        *(table for job in KPI_JOBS for table in job.outputs),
    ),
    doc="Days of events computed anew from bronze, and their KPIs",
    time_limit_minutes=180,
    options=_open_hours,
)

ERASE_SENSOR = Job(
    name="erase_sensor",
    table="clickstream_events",
    outputs=BACKFILL.outputs,
    doc="One sensor's data erased from the tables of events and KPIs",
)

REMOVAL_JOBS = (MAINTAIN_TABLES, ERASE_SENSOR)
"""What they change of a table of data is taken away or put in order: it gets no fresher."""

REPAIR_JOBS = (REPLAY_QUARANTINE, BACKFILL, ERASE_SENSOR)
"""What people run by hand on the tables of events, each in a DAG of its own."""

ALL_JOBS: dict[str, Job] = {**JOBS, **{job.name: job for job in (MAINTAIN_TABLES, *REPAIR_JOBS)}}
"""Those of the main DAG, and what keeps the tables in order."""


@dataclass(frozen=True)
class Bundle:
    """Where a published job bundle lies: the folder of the entry scripts and the zip of their packages."""

    uri: str

    def script(self, job: Job) -> str:
        """URI of a job's entry script."""
        return f"{self.uri}{job.module_file}"

    @property
    def packages(self) -> str:
        """URI of the zip that goes to --py-files."""
        return f"{self.uri}packages.zip"


KILL_AFTER_SECONDS = 60
"""A step that ignores its time limit is killed this much later."""


def spark_submit_arguments(job: Job, settings: Settings, bundle: Bundle, *options: str) -> list[str]:
    """The spark-submit command of a job, as EMR's command-runner.jar takes it.

    ``timeout`` bounds it: a hung step is never idle, so auto-termination alone would not end the
    cluster.
    """
    return [
        "timeout",
        f"--kill-after={KILL_AFTER_SECONDS}",
        str(job.time_limit_minutes * 60),
        "spark-submit",
        "--py-files",
        bundle.packages,
        bundle.script(job),
        job.source(settings),
        settings.glue_database,
        job.table,
        settings.iceberg_warehouse,
        *job.options(settings),
        *options,
    ]


def weather_check_arguments(settings: Settings, *options: str) -> list[str]:
    """The arguments of ``python -m emr_jobs.weather_check``."""
    extract = JOBS["weather_extract"]
    return [extract.source(settings), *extract.options(settings), *options]


def emr_step(job: Job, settings: Settings, bundle: Bundle, *options: str) -> dict[str, object]:
    """The job as a step of AddJobFlowSteps: named like the job; a failure leaves the other steps alone."""
    return {
        "Name": job.name,
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": spark_submit_arguments(job, settings, bundle, *options),
        },
    }
