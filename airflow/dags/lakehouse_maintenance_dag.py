"""Keep the Iceberg tables fast and small, on an EMR cluster of their own.

| task | does |
|---|---|
| `check_settings` | reads the environment; one message lists everything that is wrong with it |
| `publish_bundle` | uploads the code of the jobs and the wheels it needs, unless they are there |
| `take_lease` | waits until no other run rewrites the tables |
| `create_cluster` | starts this run's EMR cluster and waits until it is ready |
| `maintain_tables` | EMR step: table by table, what its specification says of upkeep |
| `terminate_cluster` | ends the cluster, whatever happened before |
| `give_back_lease` | lets others begin |
| `all_jobs_done` | fails unless the job succeeded |
| `record_run` | what the run did and took into the table `run_metrics`; names the tables that are late |

For each table the step deletes rows beyond the data retention (by arrival, as bronze does), joins small
files in the table's order, and expires snapshots; those that KPI jobs still compute from are kept. Files
that no snapshot knows are only counted, unless `remove_orphans` is set: then they are deleted, if they are
older than three days. Files, bytes and seconds before and after are in the task's log and in
`data_quality_metrics`.

**Safe beside everything else:** a reader sees the table before or after. Where a writer is faster, upkeep
of that table waits for the next run; where upkeep is faster, the writer starts over by itself. It may run
at any time and any number of times.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from config import names
from config.jobs import MAINTAIN_TABLES
from lakehouse.defaults import profile_while_parsing
from lakehouse.one_job import ONE_JOB_ARGUMENTS, wire_one_job

PARAMS = {
    "remove_orphans": Param(
        False,
        title="Remove orphans",
        description="Delete files that no snapshot knows and that are older than three days. "
        "Otherwise they are only counted.",
        type="boolean",
    ),
}


@dag(
    dag_id=names.MAINTENANCE_DAG_ID,
    description="Compaction, expiry of rows and snapshots, removal of orphans",
    doc_md=__doc__,
    schedule=profile_while_parsing().maintenance_schedule,
    params=PARAMS,
    tags=["emr", "iceberg", "upkeep"],
    **ONE_JOB_ARGUMENTS,
)
def lakehouse_maintenance() -> None:
    """Wire the tasks."""
    wire_one_job(MAINTAIN_TABLES)


lakehouse_maintenance()
