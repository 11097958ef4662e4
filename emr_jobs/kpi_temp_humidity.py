"""EMR step: temperature and humidity per UTC day and place (ICEBERG_TABLE)."""

from __future__ import annotations

import sys

from config.jobs import JOBS
from config.tables import TEMP_HUMIDITY_KPIS
from emr_jobs.edge.kpi import main
from emr_jobs.edge.kpi_job import KpiJob, KpiTable, Upkeep
from emr_jobs.transforms.temp_humidity import to_climate_rollup, to_temp_humidity

KPI = KpiJob(
    job=JOBS["kpi_temp_humidity"],
    to_rollup=to_climate_rollup,
    tables=(KpiTable(TEMP_HUMIDITY_KPIS, str, to_temp_humidity, Upkeep.DAYS),),
)

if __name__ == "__main__":
    sys.exit(main(KPI))
