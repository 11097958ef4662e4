"""Touched days: from made-up histories in thousands, and from what Iceberg really writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_jobs.lake.history import (
    EventHistory,
    HistoryLostError,
    SnapshotRecord,
    at_snapshot,
    changed_days,
    days_between,
    within_days,
)
from tests.support.lake import NOON, Lake
from tests.support.silver import Silver

FIRST = date(2026, 6, 1)
A_DAY = 86_400


def days(*numbers: int) -> frozenset[date]:
    return frozenset(FIRST + timedelta(days=number) for number in numbers)


def snapshot(
    number: int, parent: int | None, touched: frozenset[date], operation: str = "append"
) -> SnapshotRecord:
    summary = {f"partitions.event_time_day={day}": "added-data-files=1" for day in touched}
    return SnapshotRecord(
        number, parent, number, operation, {**summary, "changed-partition-count": str(len(touched))}
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[int, SnapshotRecord], dict[int, dict[date, int]]]:
    """Snapshots by id (each a child of any earlier one: rollbacks and branches), and the rows of each day."""
    records = {0: snapshot(0, None, frozenset())}
    contents: dict[int, dict[date, int]] = {0: {}}
    for number in range(1, draw(st.integers(2, 12))):
        parent = draw(st.integers(0, number - 1))
        is_compaction = draw(st.booleans())
        touched = days(*draw(st.sets(st.integers(0, 5), max_size=3)))
        records[number] = snapshot(number, parent, touched, "replace" if is_compaction else "overwrite")
        changed = {} if is_compaction else dict.fromkeys(touched, number)
        contents[number] = {**contents[parent], **changed}
    return records, contents


@given(histories(), st.data())
def test_days_that_differ_are_among_those_found(
    history: tuple[dict[int, SnapshotRecord], dict[int, dict[date, int]]], data: st.DataObject
) -> None:
    records, contents = history
    one, other = data.draw(st.sampled_from(sorted(records))), data.draw(st.sampled_from(sorted(records)))
    found = days_between(records.get, one, other)
    every = contents[one].keys() | contents[other].keys()

    assert {day for day in every if contents[one].get(day) != contents[other].get(day)} <= found
    assert found <= every
    assert found == days_between(records.get, other, one)
    assert days_between(records.get, one, one) == frozenset()


@given(histories(), st.data())
def test_an_expired_snapshot_on_the_way_is_never_overlooked(
    history: tuple[dict[int, SnapshotRecord], dict[int, dict[date, int]]], data: st.DataObject
) -> None:
    records, _ = history
    newest = max(records)
    path = list(ancestors(records, newest))
    since = data.draw(st.sampled_from(path))
    between = path[: path.index(since) + 1]
    expired = data.draw(st.sampled_from(between))
    left = {number: record for number, record in records.items() if number != expired}

    if since == newest:
        assert days_between(left.get, since, newest) == frozenset()
    else:
        with pytest.raises(HistoryLostError, match=f"snapshot {expired} has expired"):
            days_between(left.get, since, newest)


def ancestors(records: dict[int, SnapshotRecord], number: int | None) -> Iterator[int]:
    while number is not None:
        yield number
        number = records[number].parent


def test_histories_that_never_meet_are_lost() -> None:
    records = {1: snapshot(1, None, days(0)), 2: snapshot(2, None, days(0))}

    with pytest.raises(HistoryLostError, match="snapshot 2 has no parent"):
        days_between(records.get, 1, 2)


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"changed-partition-count": "2", "partitions.event_time_day=2026-06-01": ""},
        {"changed-partition-count": "1", "partitions.event_time_month=2026-06": ""},
        {"changed-partition-count": "1", "partitions.event_time_day=null": ""},
        {"changed-partition-count": "1", "partitions.event_time_day=+12026-06-01": ""},
    ],
    ids=["no summary", "truncated", "another partitioning", "no day", "beyond what dates can say"],
)
def test_a_summary_that_does_not_say_all_is_refused(summary: dict[str, str]) -> None:
    with pytest.raises(HistoryLostError, match="snapshot 7"):
        changed_days(SnapshotRecord(7, 6, 7, "append", summary))


@pytest.fixture
def silver(lake: Lake) -> Silver:
    """An empty table of events."""
    return Silver.create(lake)


def history_of(silver: Silver) -> EventHistory:
    history = EventHistory.load(silver.lake.spark, silver.name)
    assert history is not None
    return history


@pytest.mark.spark
def test_what_iceberg_writes_tells_the_days(silver: Silver) -> None:
    assert EventHistory.load(silver.lake.spark, silver.name) is None
    start = silver.append(silver.event("a", NOON), silver.event("b", NOON + A_DAY))
    assert history_of(silver).days_since(start) == frozenset()

    silver.append(silver.event("c", NOON + 3 * A_DAY), silver.event("d", NOON + 3 * A_DAY + 1))
    assert history_of(silver).days_since(start) == days(3)
    silver.compact()
    assert history_of(silver).days_since(start) == days(3)
    silver.merge(silver.event("a", NOON, temperature=-1.0))
    assert history_of(silver).days_since(start) == days(0, 3)
    before = silver.current()
    silver.delete("b")  # the whole file: metadata only
    assert history_of(silver).days_since(before) == days(1)
    silver.rollback(start)
    assert history_of(silver).days_since(before) == days(0, 3)


@pytest.mark.spark
def test_a_snapshot_with_more_days_than_it_may_list_is_refused(silver: Silver) -> None:
    start = silver.append(silver.event("a", NOON))
    silver.sql("ALTER TABLE {name} SET TBLPROPERTIES ('write.summary.partition-limit'='2')")
    silver.append(*(silver.event(str(number), NOON + number * A_DAY) for number in range(3)))

    with pytest.raises(HistoryLostError, match="does not list the days"):
        history_of(silver).days_since(start)


@pytest.mark.spark
def test_an_expired_snapshot_is_missed(silver: Silver) -> None:
    start = silver.append(silver.event("a", NOON))
    silver.append(silver.event("b", NOON))
    silver.expire_all()

    with pytest.raises(HistoryLostError, match=f"snapshot {start} has expired"):
        history_of(silver).days_since(start)


@pytest.mark.spark
@pytest.mark.parametrize(
    ("ddl", "obstacle"),
    [
        ("USING iceberg", "not partitioned"),
        ("USING iceberg PARTITIONED BY (days(event_time))", "source_file, source_row"),
    ],
)
def test_a_table_whose_days_cannot_be_told_apart_says_why(lake: Lake, ddl: str, obstacle: str) -> None:
    name = lake.name("events")
    lake.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {name.rpartition('.')[0]}")
    lake.spark.sql(f"CREATE TABLE {name} (event_time TIMESTAMP) {ddl}")
    for _ in range(2):
        lake.spark.sql(f"INSERT INTO {name} VALUES (TIMESTAMP '2026-06-01 12:00:00')")
    history = EventHistory.load(lake.spark, name)
    assert history is not None
    first, latest = lake.snapshots("events")

    assert history.days_since(latest) == frozenset()
    with pytest.raises(HistoryLostError, match=obstacle):
        history.days_since(first)


@pytest.mark.spark
def test_days_are_utc_and_read_as_they_were(silver: Silver) -> None:
    midnight = NOON - A_DAY // 2
    old = silver.append(
        *(silver.event(str(second), midnight + second) for second in (-1, 0, A_DAY - 1, A_DAY, 2 * A_DAY))
    )
    silver.append(silver.event("new", midnight))

    events = at_snapshot(silver.lake.spark, silver.name, old)
    found = {
        wanted: sorted(row.uuid for row in events.where(within_days(days(*wanted))).collect())
        for wanted in ((0,), (0, 1), (2,), (-1, 2), ())
    }

    assert found == {
        (0,): ["0", "86399"],
        (0, 1): ["0", "86399", "86400"],
        (2,): ["172800"],
        (-1, 2): ["-1", "172800"],
        (): [],
    }
