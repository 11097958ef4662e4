"""Judge chosen entries of quarantine anew, as they are or corrected, on an EMR cluster of their own.

| task | does |
|---|---|
| `check_settings` | reads the environment; one message lists everything that is wrong with it |
| `publish_bundle` | checks the parameters, uploads the code of the job and the wheels it needs |
| `take_lease` | waits until no other run rewrites the tables |
| `create_cluster` | starts this run's EMR cluster and waits until it is ready |
| `replay_quarantine` | EMR step: what is valid now becomes an event or a duplicate |
| `terminate_cluster` | ends the cluster, whatever happened before |
| `give_back_lease` | lets others begin |
| `all_jobs_done` | fails unless the job succeeded |
| `record_run` | what the run did and took into the table `run_metrics`; names the tables that are late |

**To run it:** choose entries by their reason, the file they came from, or an event's uuid; all that is given
must hold. Or name a file of corrections in S3, with a line of JSON for each entry:
`{"source_file": "s3://...", "source_row": 7, "event": {...}}`. Position and content of entries are in the
table `clickstream_quarantine`.

Entries that are valid now are marked as replayed, with the correction and the time; those that are not, or
that contradict an event of the same identity, stay open, and the task's log counts them by reason. Running it
again changes nothing. The KPIs follow with the next run of `clickstream_emr_kpis`.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from config import names
from config.events import RejectReason
from config.jobs import REPLAY_QUARANTINE
from lakehouse.one_job import ONE_JOB_ARGUMENTS, wire_one_job

REASONS = [reason.value for reason in RejectReason]

PARAMS = {
    "reasons": Param(
        [],
        title="Reasons",
        description="Only entries with one of these reasons.",
        type="array",
        items={"type": "string", "enum": REASONS},
        examples=REASONS,
        uniqueItems=True,
    ),
    "source_file": Param(
        None,
        title="Source file",
        description="Only entries that came from this file, named as in the column source_file.",
        type=["null", "string"],
    ),
    "uuid": Param(
        None,
        title="UUID",
        description="Only entries whose event has this uuid.",
        type=["null", "string"],
    ),
    "correction": Param(
        None,
        title="Corrections",
        description="A file of corrections in the bucket of bronze or of the tables: only its entries.",
        type=["null", "string"],
        pattern="^s3://.+",
    ),
}


@dag(
    dag_id=names.REPLAY_DAG_ID,
    description="Chosen entries of quarantine judged anew, as they are or corrected",
    doc_md=__doc__,
    schedule=None,
    params=PARAMS,
    tags=["emr", "iceberg", "quarantine"],
    **ONE_JOB_ARGUMENTS,
)
def quarantine_replay() -> None:
    """Wire the tasks."""
    wire_one_job(REPLAY_QUARANTINE)


quarantine_replay()
