"""The KPI jobs that follow the table of events, and bringing all their tables up to date."""

from __future__ import annotations

from pyspark.sql import SparkSession

from emr_jobs.edge.arguments import JobArguments
from emr_jobs.edge.kpi import run
from emr_jobs.edge.kpi_job import KpiJob, KpiTable
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.kpi_temp_humidity import KPI as TEMP_HUMIDITY
from emr_jobs.lake.tables import qualified_name

KPIS = (SENSOR_HEALTH, TEMP_HUMIDITY, EVENT_GEO)


def table_name(database: str, kpi: KpiJob, table: KpiTable) -> str:
    """Name in Spark SQL of a KPI table, where its job runs as in the DAG."""
    return qualified_name(database, table.name(kpi.job.table))


def update_all(spark: SparkSession, events: str, database: str, warehouse: str) -> dict[str, str]:
    """Run the jobs on the table ``events``; returns what was done to each of their tables.

    Raises:
        LakeError: a table cannot be written; the message says why.
    """
    done: dict[str, str] = {}
    for kpi in KPIS:
        done |= run(spark, kpi, JobArguments(events, database, kpi.job.table, warehouse)).work
    return done
