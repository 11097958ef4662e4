"""What a person's parameters of a repair are as options of its job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException


def replay_options(params: Mapping[str, Any]) -> list[str]:
    """Which entries of quarantine to replay.

    Raises:
        AirflowFailException: none are chosen.
    """
    chosen = {
        "--source-file": params["source_file"],
        "--uuid": params["uuid"],
        "--correction": params["correction"],
    }
    options = [part for reason in params["reasons"] for part in ("--reason", reason)]
    options += [part for option, value in chosen.items() if value for part in (option, value)]
    if not options:
        raise AirflowFailException("Choose entries: reasons, source_file, uuid or correction")
    return options


def backfill_options(params: Mapping[str, Any]) -> list[str]:
    """Which days to compute anew, and whether to write.

    Raises:
        AirflowFailException: a day is missing, or they are the wrong way round.
    """
    first, last = params["first_day"], params["last_day"]
    if not first or not last or first > last:
        raise AirflowFailException(f"first_day and last_day are no range: {first} to {last}")
    return ["--first-day", first, "--last-day", last, *_apply(params)]


def erasure_options(params: Mapping[str, Any]) -> list[str]:
    """Which sensor to erase, and whether to.

    Raises:
        AirflowFailException: none is named.
    """
    if params["sensor_id"] is None:
        raise AirflowFailException("sensor_id names no sensor")
    return ["--sensor-id", str(params["sensor_id"]), *_apply(params)]


def _apply(params: Mapping[str, Any]) -> list[str]:
    return [] if params["dry_run"] else ["--apply"]
