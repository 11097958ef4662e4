"""The gap ledger where runs share it: read, changed by compare-and-set, rebuilt from raw when lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from config.grid import Grid
from config.weather import GAP_LEDGER
from emr_jobs.weather.documents import DocumentStore, update
from emr_jobs.weather.landing import RawLanding
from emr_jobs.weather.ledger import GapLedger, LedgerError, state_of

log = logging.getLogger(__name__)


def load_ledger(documents: DocumentStore, grid: Grid) -> GapLedger | None:
    """The ledger, or None if there is none that can be used."""
    text = documents.read(GAP_LEDGER).text
    if text is None:
        return None
    try:
        return GapLedger.parse(text, grid)
    except LedgerError as error:
        log.warning("%s; it is rebuilt from the raw files", error)
        return None


def rebuild_ledger(raw: RawLanding, grid: Grid, today: date) -> GapLedger:
    """A ledger that says what lies in raw, all of it to be transformed again."""
    ledger = GapLedger(grid)
    days = list(raw.days())
    ledger.ask(days)
    adopt(ledger, raw, days, today)
    return ledger


def adopt(ledger: GapLedger, raw: RawLanding, days: Iterable[date], today: date) -> None:
    """Note what lies in raw for some days: landed, perhaps, by a run that did not live to say so."""
    for day in days:
        stored = raw.read(day)
        states = {number: state_of(record, day, today) for number, record in stored.records.items()}
        ledger.record(day, states, stored.landed_on or day)


def change_ledger(
    documents: DocumentStore, grid: Grid, initial: GapLedger, change: Callable[[GapLedger], None]
) -> GapLedger:
    """Apply a change to the shared ledger (to ``initial`` if there is none) and return it as saved."""
    saved = initial

    def changed(text: str | None) -> dict[str, Any]:
        nonlocal saved
        try:
            saved = GapLedger.parse(text, grid) if text is not None else initial
        except LedgerError:
            saved = initial
        saved.revision += 1
        change(saved)
        return saved.to_content()

    update(documents, GAP_LEDGER, changed)
    return saved
