"""EMR step: faulty share per sensor (ICEBERG_TABLE) and sensors per status (its sibling status_health)."""

from __future__ import annotations

import sys

from config.jobs import JOBS
from config.tables import SENSOR_HEALTH, STATUS_HEALTH
from emr_jobs.edge.kpi import KpiJob, KpiTable, main
from emr_jobs.transforms.sensor_health import to_sensor_health, to_sensor_status_rollup, to_status_health


def sibling_name(table: str) -> str:
    """Name of the status table beside ``table``.

    >>> sibling_name("sensor_health"), sibling_name("trial_sensor_health"), sibling_name("other")
    ('status_health', 'trial_status_health', 'status_health')
    """
    if table.endswith(SENSOR_HEALTH.name):
        return table.removesuffix(SENSOR_HEALTH.name) + STATUS_HEALTH.name
    return STATUS_HEALTH.name


KPI = KpiJob(
    job=JOBS["kpi_sensor_health"],
    to_rollup=to_sensor_status_rollup,
    tables=(
        KpiTable(SENSOR_HEALTH, str, to_sensor_health),
        KpiTable(STATUS_HEALTH, sibling_name, to_status_health),
    ),
)

if __name__ == "__main__":
    sys.exit(main(KPI))
