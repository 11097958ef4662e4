"""What a table specification says, and the DDL that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DAILY = 26
"""``late_after_hours`` of what every day's run changes: a day, and the run's own time."""


@dataclass(frozen=True)
class Column:
    """A column: its name, its Spark SQL type and what it means, with the unit."""

    name: str
    type: str
    doc: str
    nullable: bool = True


@dataclass(frozen=True)
class Upkeep:
    """How a table is kept in order by the job maintain_tables.

    Small files are joined to files of ``target_file_mb``, in the table's order. Snapshots stay readable for
    ``snapshot_days``. Rows whose column ``expires_by`` (a timestamp) is older than the environment's data
    retention are deleted; none are where it is empty. Files that no snapshot knows are orphans after
    ``orphan_days``: never under 3, since a slow writer's files look the same.
    """

    target_file_mb: int = 128
    snapshot_days: int = 5
    expires_by: str = ""
    orphan_days: int = 3


@dataclass(frozen=True)
class TableSpec:
    """A table of the lake.

    ``key`` names the columns that identify a row. ``partition`` holds Iceberg transforms as SQL
    (``days(event_time)``), or plain column names for bronze. ``sort`` is the write order. ``properties``
    are Iceberg table properties beside those that all tables have. At the end of a run its data are late when
    they have not changed for ``late_after_hours``; None: nobody waits for them.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    format: Literal["iceberg", "parquet"] = "iceberg"
    properties: tuple[tuple[str, str], ...] = ()
    upkeep: Upkeep = Upkeep()
    late_after_hours: int | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def schema_ddl(self) -> str:
        """The columns as a Spark DDL schema string, keys and other required columns NOT NULL."""
        return ", ".join(
            f"`{column.name}` {column.type}{'' if column.nullable else ' NOT NULL'}"
            for column in self.columns
        )
