"""What differs between dev and prod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EnvironmentProfile:
    """Sizes, schedules and retentions of one environment.

    ``emr_core_nodes`` are always there; up to ``emr_spot_nodes`` join them from the spot market under load.
    The schedules are cron in UTC, or None for runs by hand only. Retentions are in days, the stream's in
    hours: that long Firehose may still deliver what the stream received. ``sweep_dry_run``: the sweeper only
    tells of leaked clusters unless it is told to terminate them.
    """

    emr_core_nodes: int
    emr_spot_nodes: int
    schedule: str | None
    maintenance_schedule: str | None
    sweep_schedule: str | None
    sweep_dry_run: bool
    log_retention_days: int
    data_retention_days: int
    stream_retention_hours: int
    checkpoint_store: Literal["s3", "dynamodb"]
    s3_access_logging: bool


PROFILES: dict[str, EnvironmentProfile] = {
    "dev": EnvironmentProfile(
        emr_core_nodes=2,
        emr_spot_nodes=2,
        schedule=None,
        maintenance_schedule=None,
        sweep_schedule=None,
        sweep_dry_run=False,
        log_retention_days=7,
        data_retention_days=90,
        stream_retention_hours=24,
        checkpoint_store="s3",
        s3_access_logging=False,
    ),
    "prod": EnvironmentProfile(
        emr_core_nodes=5,
        emr_spot_nodes=5,
        schedule="0 3 * * *",
        maintenance_schedule="0 6 * * *",
        sweep_schedule="30 * * * *",
        sweep_dry_run=True,
        log_retention_days=90,
        data_retention_days=365,
        stream_retention_hours=168,
        checkpoint_store="dynamodb",
        s3_access_logging=True,
    ),
}
