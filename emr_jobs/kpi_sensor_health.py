"""EMR step: faulty share per sensor (ICEBERG_TABLE) and sensors per status (its sibling status_health)."""

from __future__ import annotations

import sys

from config.jobs import JOBS
from config.tables import SENSOR_HEALTH, SENSOR_STATUS, STATUS_HEALTH
from emr_jobs.edge.kpi import main
from emr_jobs.edge.kpi_job import KpiJob, KpiTable, Upkeep
from emr_jobs.transforms.sensor_health import (
    to_sensor_health,
    to_sensor_status,
    to_sensor_status_rollup,
    to_status_health,
)


def sibling_name(table: str) -> str:
    """Name of the status table beside ``table``.

    >>> sibling_name("sensor_health"), sibling_name("trial_sensor_health"), sibling_name("other")
    ('status_health', 'trial_status_health', 'status_health')
    """
    if table.endswith(SENSOR_HEALTH.name):
        return table.removesuffix(SENSOR_HEALTH.name) + STATUS_HEALTH.name
    return STATUS_HEALTH.name


def state_name(table: str) -> str:
    """Name of the internal table that both follow from.

    >>> state_name("sensor_health"), state_name("trial_sensor_health"), state_name("other")
    ('_sensor_status', '_trial_sensor_status', '_other_sensor_status')
    """
    prefix = table.removesuffix(SENSOR_HEALTH.name) if table.endswith(SENSOR_HEALTH.name) else f"{table}_"
    return f"_{prefix}{SENSOR_STATUS.name.removeprefix('_')}"


KPI = KpiJob(
    job=JOBS["kpi_sensor_health"],
    to_rollup=to_sensor_status_rollup,
    tables=(
        KpiTable(SENSOR_HEALTH, str, to_sensor_health, Upkeep.DERIVED),
        KpiTable(STATUS_HEALTH, sibling_name, to_status_health, Upkeep.DERIVED),
    ),
    state=KpiTable(SENSOR_STATUS, state_name, to_sensor_status, Upkeep.COUNTS),
)

if __name__ == "__main__":
    sys.exit(main(KPI))
