"""The event contract: limits that make an event valid, and the reasons for refusing one.

Producer, Spark jobs, SQL and reconciliation all take their limits from here, so that
"valid" means the same everywhere.
"""

from __future__ import annotations

from enum import StrEnum

STATUSES = ("active", "inactive", "faulty", "maintenance")
"""Known sensor states. Others are kept as they come: a fleet may learn new ones."""

FAULTY = "faulty"

HUMIDITY_MIN, HUMIDITY_MAX = 0.0, 100.0
"""Relative humidity, percent."""

TEMPERATURE_MIN, TEMPERATURE_MAX = -90.0, 70.0
"""Air temperature, degrees Celsius: the extremes ever measured on Earth, with a margin."""

LATITUDE_MIN, LATITUDE_MAX = -90.0, 90.0
LONGITUDE_MIN, LONGITUDE_MAX = -180.0, 180.0

TIMESTAMP_MIN = 946_684_800
"""2000-01-01T00:00:00Z in epoch seconds."""

TIMESTAMP_MAX = 9_223_372_036_853
"""The last whole second of a timestamp in microseconds (year 294247): the limit where no arrival is known."""

MAX_SECONDS_AHEAD_OF_ARRIVAL = 86_400
"""An event may be dated at most a day after the start of its arrival hour (dt/hour of its bronze path)."""

LOCATION_DECIMALS = 6
"""Where a place is a key it is ``round(x, 6) + 0.0``: -0.0 becomes 0.0."""

AVERAGE_SCALE = 1_000_000
"""Averages sum integers at this scale (half up), so that they are equal bit for bit in any order."""


class RejectReason(StrEnum):
    """Why an event is not valid; the first that applies, in this order."""

    MISSING_FIELD = "missing_field"
    NOT_FINITE = "not_finite"
    HUMIDITY_RANGE = "humidity_out_of_range"
    TEMPERATURE_RANGE = "temperature_out_of_range"
    LOCATION_RANGE = "location_out_of_range"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"


UUID_CONFLICT = "uuid_conflict"
"""Reason of a valid event in quarantine: the event of the same identity, in silver, has other content."""

UNREADABLE_DOCUMENT = "unreadable_failure_document"
"""Reason of a line among the conversion failures that is not a document of Firehose's."""


class EntryState(StrEnum):
    """What became of an entry of quarantine."""

    OPEN = "open"
    """It stands for its record."""

    REPLAYED = "replayed"
    """Its record, as it is or corrected, is an event or a duplicate."""

    SUPERSEDED = "superseded"
    """It was a uuid_conflict, and is an event or a duplicate now that a copy at a smaller position has come;
    or its file was taken out again by a rollback."""
