"""The equations that must hold from the stream to the KPI tables: the same for the EMR step and by hand.

Every acknowledged record is delivered; every delivered record is an event of silver, a duplicate or an open
entry of quarantine, unless it expired, was erased or still awaits its ingest; every KPI table counts each
event once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

EXPIRED_PROPERTY = "lakehouse.expired"
"""Property of a table: JSON with the ``rows`` that upkeep has deleted, by arrival ``before`` a time."""

REFLECTION_PROPERTY = "lakehouse.reflects"
"""Property of a KPI table: JSON with the ``snapshot`` of the events that it reflects."""


@dataclass(frozen=True)
class Retained:
    """What retention has left: arrivals from day ``since`` on (``YYYY-MM-DD``; empty: all). It has deleted
    ``expired`` rows."""

    since: str = ""
    expired: int = 0

    @classmethod
    def of(cls, *tables: Mapping[str, str]) -> Retained:
        """By the properties of tables, from the first day that upkeep has left whole in all of them.

        >>> Retained.of({EXPIRED_PROPERTY: '{"rows": 7, "before": "2026-06-01T03:00:00+00:00"}'}, {})
        Retained(since='2026-06-02', expired=7)
        """
        since, rows = "", 0
        for properties in tables:
            expired = json.loads(properties.get(EXPIRED_PROPERTY) or "{}")
            if expired:
                whole = datetime.fromisoformat(expired["before"]).date() + timedelta(days=1)
                since, rows = max(since, f"{whole}"), rows + expired["rows"]
        return cls(since, rows)

    @property
    def delivered_since(self) -> str:
        """The first hour (``YYYY-MM-DDTHH``) in which records of a producer that started on a retained day
        may have arrived: that before the day, since clocks differ by a little.

        >>> Retained("2026-06-02").delivered_since, Retained().delivered_since
        ('2026-06-01T23', '')
        """
        if not self.since:
            return ""
        return f"{datetime.fromisoformat(self.since) - timedelta(hours=1):%Y-%m-%dT%H}"


@dataclass(frozen=True)
class Check:
    """Two counts that must be equal; ``name`` is that of the metric which holds their difference."""

    name: str
    says: str
    found: int
    expected: int

    @property
    def difference(self) -> int:
        """How many too many (or, negative, too few) there are."""
        return self.found - self.expected

    def __str__(self) -> str:
        return f"{self.says}: {self.found:,} where {self.expected:,} are expected"


@dataclass(frozen=True)
class KpiTotal:
    """What a KPI table counts in all, and what it should: the events of the snapshot that it reflects.

    ``counted`` is None where the table was never written to: its job is still to run, nothing is compared.
    """

    table: str
    counted: int | None
    expected: int


@dataclass(frozen=True)
class Account:
    """Where every record ended up; counts are of records.

    ``acked`` are attested by the producers' manifests; of them, ``undelivered`` are nowhere, ``in_flight``
    are nowhere yet, but were sent so lately that they may still come. ``bronze`` rows and ``failed``
    conversions were delivered; of these ``awaiting`` came after the last ingest looked, and all
    others are in ``silver``, open entries of quarantine, duplicates, or ``erased``, as their sensor's data.
    ``expired`` were deleted since they arrived before the retention's cutoff: what arrived then is no longer
    compared. ``settled`` records were delivered on days that an earlier reconciliation has checked for good.
    """

    acked: int = 0
    undelivered: int = 0
    in_flight: int = 0
    bronze: int = 0
    failed: int = 0
    awaiting: int = 0
    expired: int = 0
    settled: int = 0
    silver: int = 0
    quarantined: int = 0
    duplicates: int = 0
    erased: int = 0
    kpis: tuple[KpiTotal, ...] = ()

    @property
    def unattested(self) -> int:
        """Delivered records that no manifest names: of other producers, of one that was killed, second
        copies of records whose call ended unknown. Counted, no error."""
        attested = self.acked - self.undelivered - self.in_flight
        return max(0, self.settled + self.bronze + self.failed - attested)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The equations."""
        return (
            Check("undelivered", "acknowledged records that are nowhere", self.undelivered, 0),
            Check(
                "unaccounted",
                "bronze rows and failed conversions",
                self.bronze + self.failed - self.awaiting,
                self.silver + self.quarantined + self.erased + self.duplicates,
            ),
            *(
                Check(f"miscounted_{kpi.table}", f"events in {kpi.table}", kpi.counted, kpi.expected)
                for kpi in self.kpis
                if kpi.counted is not None
            ),
        )

    @property
    def differences(self) -> list[Check]:
        """The equations that do not hold."""
        return [check for check in self.checks if check.difference]

    @property
    def lines(self) -> list[tuple[str, int, Check | None]]:
        """The account for people: what, how many, and the equation that the line completes."""
        delivered, accounted, *_ = self.checks
        kpi_checks = {check.name: check for check in self.checks}
        return [
            ("acknowledged by the stream", self.acked, None),
            ("  in flight", self.in_flight, None),
            ("  not delivered", self.undelivered, delivered),
            ("bronze rows", self.bronze, None),
            ("failed conversions", self.failed, None),
            ("  of both: unattested", self.unattested, None),
            ("  of both: await ingest", self.awaiting, None),
            ("  expired, on top", self.expired, None),
            ("  events", self.silver, None),
            ("  in quarantine", self.quarantined, None),
            ("  erased", self.erased, None),
            ("  duplicates", self.duplicates, accounted),
            *(
                (f"events in {kpi.table}", kpi.counted, kpi_checks[f"miscounted_{kpi.table}"])
                if kpi.counted is not None
                else (f"not compared: {kpi.table}", 0, None)
                for kpi in self.kpis
            ),
        ]
