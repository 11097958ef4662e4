"""Compute days of events anew from bronze, and their KPIs, on an EMR cluster of their own.

| task | does |
|---|---|
| `check_settings` | reads the environment; one message lists everything that is wrong with it |
| `publish_bundle` | checks the parameters, uploads the code of the job and the wheels it needs |
| `take_lease` | waits until no other run rewrites the tables |
| `create_cluster` | starts this run's EMR cluster and waits until it is ready |
| `backfill` | EMR step: what differs, day by day; without the dry run also replaces it |
| `terminate_cluster` | ends the cluster, whatever happened before |
| `give_back_lease` | lets others begin |
| `all_jobs_done` | fails unless the job succeeded |
| `record_run` | what the run did and took into the table `run_metrics`; names the tables that are late |

For use after the rules of validity were mended, or a table was damaged. All that was delivered and taken in
counts, with the corrections that were replayed; erased sensors stay erased.

**To run it:** trigger it with a range of days (UTC dates of the events). It is a dry run by default: the log
of `backfill` shows for each day the rows before and after, and the KPI values that would change. Then trigger
it again without the dry run. A second run finds nothing to do.

**It refuses** days into whose own hours files may still come (the stream's retention and a day), a table that
is not partitioned by day, and rows whose bronze files are gone: they would be lost.

**Safe beside everything else:** all days are replaced in one commit, so that a reader sees them before or
after. Where another writer is faster, it starts over from what is there then.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from config import names
from config.jobs import BACKFILL
from lakehouse.one_job import ONE_JOB_ARGUMENTS, wire_one_job

PARAMS = {
    "first_day": Param(
        None,
        title="First day",
        description="First UTC date of the events to compute anew.",
        type=["null", "string"],
        format="date",
    ),
    "last_day": Param(
        None,
        title="Last day",
        description="Last UTC date, included: at most 366 days.",
        type=["null", "string"],
        format="date",
    ),
    "dry_run": Param(
        True,
        title="Dry run",
        description="Only show what would change.",
        type="boolean",
    ),
}


@dag(
    dag_id=names.BACKFILL_DAG_ID,
    description="Days of events computed anew from bronze, and their KPIs",
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    tags=["backfill", "emr", "iceberg"],
    **ONE_JOB_ARGUMENTS,
)
def clickstream_backfill() -> None:
    """Wire the tasks."""
    wire_one_job(BACKFILL)


clickstream_backfill()
