"""Names that users and other systems rely on: the same string everywhere, from here."""

from __future__ import annotations

PROJECT = "clickstream-etl"
STREAM = "clickstream-input-stream"
DELIVERY_STREAM = "clickstream-firehose-delivery"
FIREHOSE_ROLE = "FirehoseDeliveryRole"
PRODUCER_ROLE = "ClickstreamProducerRole"
AIRFLOW_ROLE = "ClickstreamAirflowRole"
ANALYST_ROLE = "ClickstreamAnalystRole"
BRONZE_TABLE = "clickstream_raw"
MANIFESTS_PREFIX = "manifests/"
ALERTS_PREFIX = "alerts/"
ATHENA_WORKGROUP = "clickstream-analytics"
CHECKPOINT_TABLE = "lakehouse-checkpoints"
SPARK_CATALOG = "glue"
JOB_PROPERTY = "lakehouse.job"
"""Of a snapshot's summary: the job that committed it."""
DAG_ID = "clickstream_emr_kpis"
MAINTENANCE_DAG_ID = "lakehouse_maintenance"
BACKFILL_DAG_ID = "clickstream_backfill"
REPLAY_DAG_ID = "quarantine_replay"
ERASURE_DAG_ID = "sensor_erasure"
SWEEPER_DAG_ID = "cluster_sweeper"


def stack_name(environment: str, concern: str | None = None) -> str:
    """Name of a CloudFormation stack: the buckets' is ``clickstream-etl-ENV``, others append their concern.

    >>> stack_name("dev"), stack_name("prod", "streaming")
    ('clickstream-etl-dev', 'clickstream-etl-prod-streaming')
    """
    base = f"{PROJECT}-{environment}"
    return f"{base}-{concern}" if concern else base
