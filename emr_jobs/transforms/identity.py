"""One event is one (uuid, timestamp): which of its copies counts, which contradicts it, which repeat.

Of each content that came under an identity, the copy at the smallest position (source_file, source_row)
stands for it. The smallest of all is the event; every other content is a conflict; all other copies are
duplicates. The result does not depend on the order in which copies arrive, as long as those that stand for a
content are judged again together with new ones.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from config.tables import EVENT_COLUMNS

EVENT_FIELDS = tuple(column.name for column in EVENT_COLUMNS)
POSITION = ("source_file", "source_row")
IDENTITY = ("uuid", "timestamp")
HOMES = ("in_new", "in_silver", "in_quarantine")
"""Where a copy was found: in files not taken in yet, in silver, in quarantine."""

EVENT, CONFLICT, DUPLICATE = "event", "conflict", "duplicate"


def identity_hash() -> Column:
    """64 bits of (uuid, timestamp), to find candidates for equality: equal identities have equal hashes."""
    return F.xxhash64(*IDENTITY)


def content() -> Column:
    """What an event says, as JSON in the contract's order; without nulls, so that fields may be added."""
    return F.to_json(F.struct(*EVENT_FIELDS))


def arrival_day() -> Column:
    """The UTC date of a row's arrival."""
    return F.to_date("arrival_hour")


def to_judged(copies: DataFrame) -> DataFrame:
    """Reduce copies to one row a position, and add ``judgement``: event, conflict or duplicate.

    ``copies`` has uuid, timestamp, source_file, source_row, raw (:func:`content`), event (struct of the
    fields), arrival_hour, and the booleans ``in_new``, ``in_silver``, ``in_quarantine``. The result has these
    columns, with ``in_...`` true if any of the rows at the position had it, and ``is_known``: whether silver
    has a copy of this identity.
    """
    at_position = copies.groupBy(*IDENTITY, "raw", *POSITION).agg(
        F.first("event").alias("event"),
        F.max("arrival_hour").alias("arrival_hour"),
        *(F.max(home).alias(home) for home in HOMES),
    )
    of_identity = Window.partitionBy(*IDENTITY).orderBy(*POSITION)
    of_content = Window.partitionBy(*IDENTITY, "raw").orderBy(*POSITION)
    judgement = (
        F.when(F.row_number().over(of_identity) == 1, EVENT)
        .when(F.row_number().over(of_content) == 1, CONFLICT)
        .otherwise(DUPLICATE)
    )
    is_known = F.max("in_silver").over(Window.partitionBy(*IDENTITY))
    return at_position.withColumns({"judgement": judgement, "is_known": is_known})
