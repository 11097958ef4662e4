"""Erase one sensor's data from the tables of events and KPIs, on an EMR cluster of their own.

| task | does |
|---|---|
| `check_settings` | reads the environment; one message lists everything that is wrong with it |
| `publish_bundle` | checks the parameters, uploads the code of the job and the wheels it needs |
| `take_lease` | waits until no other run rewrites the tables |
| `create_cluster` | starts this run's EMR cluster and waits until it is ready |
| `erase_sensor` | EMR step: counts the rows of the sensor; without the dry run removes them |
| `terminate_cluster` | ends the cluster, whatever happened before |
| `give_back_lease` | lets others begin |
| `all_jobs_done` | fails unless the job succeeded |
| `record_run` | what the run did and took into the table `run_metrics`; names the tables that are late |

**To run it:** trigger it with the sensor's number. It is a dry run by default: the log of `erase_sensor`
counts what would go. Then trigger it again without the dry run. It cannot be taken back.

**What it removes:** the sensor's rows of `clickstream_events`, its entries of `clickstream_quarantine`, and
what they add to the KPI tables. What was measured or has arrived until then stays erased: no ingest, replay
or backfill brings it back, and reconciliation counts it as erased. What the sensor measures from then on is
new data.

**What still holds the data afterwards:** the files of bronze and the producers' manifests, until their own
retention ends; and earlier snapshots of the tables, until `lakehouse_maintenance` has expired them (five
days) and removed their files.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from config import names
from config.jobs import ERASE_SENSOR
from lakehouse.one_job import ONE_JOB_ARGUMENTS, wire_one_job

PARAMS = {
    "sensor_id": Param(
        None,
        title="Sensor",
        description="Number of the sensor, 42 for SENSOR_0042.",
        type=["null", "integer"],
    ),
    "dry_run": Param(
        True,
        title="Dry run",
        description="Only count what would be erased.",
        type="boolean",
    ),
}


@dag(
    dag_id=names.ERASURE_DAG_ID,
    description="One sensor's data erased from the tables of events and KPIs",
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    tags=["emr", "erasure", "iceberg"],
    **ONE_JOB_ARGUMENTS,
)
def sensor_erasure() -> None:
    """Wire the tasks."""
    wire_one_job(ERASE_SENSOR)


sensor_erasure()
