"""EMR step: events per UTC day and type (PREFIX_events), faulty events per place (PREFIX_faulty_geo)."""

from __future__ import annotations

import sys

from config.jobs import JOBS
from config.tables import EVENT_GEO_KPIS_EVENTS, EVENT_GEO_KPIS_FAULTY_GEO
from emr_jobs.edge.kpi import main
from emr_jobs.edge.kpi_job import KpiJob, KpiTable, Upkeep
from emr_jobs.transforms.event_geo import to_event_geo_rollup, to_events, to_faulty_geo

KPI = KpiJob(
    job=JOBS["kpi_event_geo"],
    to_rollup=to_event_geo_rollup,
    tables=(
        KpiTable(EVENT_GEO_KPIS_EVENTS, "{}_events".format, to_events, Upkeep.DAYS),
        KpiTable(EVENT_GEO_KPIS_FAULTY_GEO, "{}_faulty_geo".format, to_faulty_geo, Upkeep.COUNTS),
    ),
)

if __name__ == "__main__":
    sys.exit(main(KPI))
