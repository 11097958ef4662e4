"""The checkpoint: up to which day the weather was processed. It only moves forward."""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta
from typing import Any

from config.weather import CHECKPOINT
from emr_jobs.weather.documents import DocumentStore, update

log = logging.getLogger(__name__)

_ONE_DAY = timedelta(days=1)


def read_last_processed(documents: DocumentStore, today: date) -> date | None:
    """The last processed day; None if there is no checkpoint, or none that makes sense."""
    return _parse(documents.read(CHECKPOINT).text, today)


def advance(documents: DocumentStore, last_processed: date, today: date) -> None:
    """Move the checkpoint to a day, unless it is there already or beyond."""

    def forward(text: str | None) -> dict[str, Any] | None:
        known = _parse(text, today)
        if known is not None and known >= last_processed:
            return None
        return {
            "last_processed_date": last_processed.isoformat(),
            "next_start_date": (last_processed + _ONE_DAY).isoformat(),
        }

    update(documents, CHECKPOINT, forward)


def _parse(text: str | None, today: date) -> date | None:
    if text is None:
        return None
    try:
        content = json.loads(text)
        last = date.fromisoformat(content["last_processed_date"])
        follows = date.fromisoformat(content["next_start_date"]) == last + _ONE_DAY
    except (ValueError, TypeError, KeyError):
        log.warning("The checkpoint %s is corrupt; it is rebuilt from the gap ledger", CHECKPOINT)
        return None
    if not follows or last > today:
        log.warning("The checkpoint %s says %s, which cannot be; it is rebuilt", CHECKPOINT, text)
        return None
    return last
