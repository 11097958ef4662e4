"""Ranges of days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class DayRange:
    """UTC dates, both ends included; none where ``last`` is before ``first``."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """All of them, ascending."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]
