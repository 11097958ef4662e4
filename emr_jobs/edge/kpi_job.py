"""What a KPI job is made of: one rollup of events, and the tables that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from pyspark.sql import DataFrame

from config.jobs import Job
from config.tables import TableSpec


class Upkeep(Enum):
    """How a table follows the events when only some days have changed."""

    DAYS = auto()
    """Rows belong to a ``day``: those of the changed days are computed anew and replaced."""

    COUNTS = auto()
    """Rows are a key and a count over all days: what the changed days count now is added, what they counted
    before is taken off."""

    DERIVED = auto()
    """Computed as a whole from the job's ``state``, which is small."""


@dataclass(frozen=True)
class KpiTable:
    """A table of a KPI job: its specification, its name given ICEBERG_TABLE, its rows given the rollup.

    The rows of a ``DERIVED`` table follow from the job's state as they do from the rollup.
    """

    spec: TableSpec
    name: Callable[[str], str]
    from_rollup: Callable[[DataFrame], DataFrame]
    upkeep: Upkeep


@dataclass(frozen=True)
class KpiJob:
    """A job that turns events into a small rollup in one scan, and the rollup into tables.

    ``state`` is an internal table that is kept when the events come from a table.
    """

    job: Job
    to_rollup: Callable[[DataFrame], DataFrame]
    tables: tuple[KpiTable, ...]
    state: KpiTable | None = None
