"""Publishing through a branch: seen whole or not at all, refused if main has moved, undone on any failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from config.tables import STATUS_HEALTH
from emr_jobs.lake import publish as publish_module
from emr_jobs.lake.errors import ConcurrentPublishError, LakeError
from emr_jobs.lake.publish import publish, replacing, start_over
from emr_jobs.lake.tables import Snapshot, current_snapshot, ensure_table, load_table
from tests.support.lake import Lake

pytestmark = pytest.mark.spark

POINTS = ("create the branch", "write on the branch", "publish the branch")


class Killed(BaseException):
    """What a kill looks like from inside: no handler of Exception sees it."""


@contextmanager
def killed_at(point: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be killed at the commit point whose name ends so."""

    def kill(passed: str) -> None:
        if passed.endswith(point):
            raise Killed(passed)

    with monkeypatch.context() as patch:
        patch.setattr(publish_module, "commit_point", kill)
        yield


def appending(spark: SparkSession, *rows: tuple[str, int]) -> Callable[[str], None]:
    """Write rows by one append."""
    return lambda branch: spark.createDataFrame(rows, STATUS_HEALTH.schema_ddl).writeTo(branch).append()


def table_of(lake: Lake, *rows: tuple[str, int]) -> str:
    """A table with these rows, if any."""
    name = lake.name("status_health")
    ensure_table(lake.spark, name, STATUS_HEALTH)
    if rows:
        publish(lake.spark, name, appending(lake.spark, *rows), base=None)
    return name


def contents(spark: SparkSession, name: str) -> dict[str, int]:
    load_table(spark, name).refresh()
    return {row.status: row.sensor_count for row in spark.table(name).collect()}


def branches(spark: SparkSession, name: str) -> list[str]:
    table = load_table(spark, name)
    table.refresh()
    return sorted(set(table.refs()) - {"main"})


def properties(spark: SparkSession, name: str) -> dict[str, str]:
    return dict(load_table(spark, name).properties())


def test_the_first_publish_and_the_next(lake: Lake) -> None:
    name = table_of(lake)
    first = publish(lake.spark, name, appending(lake.spark, ("active", 1)), base=None)
    second = publish(lake.spark, name, appending(lake.spark, ("faulty", 2)), base=first)

    assert (first.rows, second.rows) == (1, 2)
    assert contents(lake.spark, name) == {"active": 1, "faulty": 2}
    assert current_snapshot(lake.spark, name) == second
    assert branches(lake.spark, name) == []


def test_readers_see_nothing_before_the_audit_has_passed(lake: Lake) -> None:
    name = table_of(lake, ("active", 1))
    seen: list[tuple[int, int]] = []

    def audit(branch: DataFrame) -> None:
        seen.append((branch.count(), lake.spark.table(name).count()))

    publish(
        lake.spark,
        name,
        appending(lake.spark, ("faulty", 2)),
        base=current_snapshot(lake.spark, name),
        audit=audit,
    )

    assert seen == [(2, 1)]
    assert lake.spark.table(name).count() == 2


def test_a_failed_audit_publishes_nothing_and_leaves_no_branch(lake: Lake) -> None:
    name = table_of(lake, ("active", 1))
    base = current_snapshot(lake.spark, name)

    def audit(branch: DataFrame) -> None:
        raise LakeError("counts do not add up")

    with pytest.raises(LakeError, match="counts do not add up"):
        publish(
            lake.spark,
            name,
            appending(lake.spark, ("faulty", 2)),
            base=base,
            audit=audit,
            properties={"lakehouse.note": "x"},
        )

    assert current_snapshot(lake.spark, name) == base
    assert contents(lake.spark, name) == {"active": 1}
    assert branches(lake.spark, name) == []
    assert "lakehouse.note" not in properties(lake.spark, name)


def test_several_commits_and_properties_are_published_as_one(lake: Lake) -> None:
    name = table_of(lake, ("active", 1), ("faulty", 2))
    base = current_snapshot(lake.spark, name)

    def write(branch: str) -> None:
        lake.spark.sql(f"DELETE FROM {branch} WHERE status = 'faulty'")
        appending(lake.spark, ("inactive", 3))(branch)

    table = load_table(lake.spark, name)
    before = len(table.history())
    publish(lake.spark, name, write, base=base, properties={"lakehouse.note": "done"})

    table.refresh()
    assert contents(lake.spark, name) == {"active": 1, "inactive": 3}
    assert len(table.history()) == before + 1
    assert properties(lake.spark, name)["lakehouse.note"] == "done"


def test_properties_alone_can_be_published(lake: Lake) -> None:
    name = table_of(lake, ("active", 1))
    base = current_snapshot(lake.spark, name)

    after = publish(lake.spark, name, lambda branch: None, base=base, properties={"lakehouse.note": "done"})

    assert after == base
    assert properties(lake.spark, name)["lakehouse.note"] == "done"


def test_replacing_leaves_nothing_of_what_was_there(lake: Lake) -> None:
    name = table_of(lake, ("active", 1))
    rows = lake.spark.createDataFrame([("faulty", 2)], STATUS_HEALTH.schema_ddl)

    publish(lake.spark, name, replacing(rows, STATUS_HEALTH), base=current_snapshot(lake.spark, name))

    assert contents(lake.spark, name) == {"faulty": 2}


def move_main(spark: SparkSession, name: str) -> None:
    """Somebody else publishes."""
    spark.sql(f"INSERT INTO {name} VALUES ('other', 9)")


@pytest.mark.parametrize("rows", [[], [("active", 1)]], ids=["empty", "filled"])
@pytest.mark.parametrize(
    "point", ["before", "create the branch", "write on the branch", "publish the branch"]
)
def test_a_main_that_moved_is_never_overwritten(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, point: str, rows: list[tuple[str, int]]
) -> None:
    name = table_of(lake, *rows)
    base = current_snapshot(lake.spark, name)
    if point == "before":
        move_main(lake.spark, name)
    monkeypatch.setattr(
        publish_module,
        "commit_point",
        lambda passed: move_main(lake.spark, name) if passed.endswith(point) else None,
    )
    mine = lake.spark.createDataFrame([("mine", 2)], STATUS_HEALTH.schema_ddl)

    with pytest.raises(ConcurrentPublishError, match="status_health changed since this run looked at it"):
        publish(
            lake.spark,
            name,
            replacing(mine, STATUS_HEALTH),
            base=base,
            properties={"lakehouse.note": "mine"},
        )

    assert contents(lake.spark, name) == {**dict(rows), "other": 9}
    assert branches(lake.spark, name) == []
    assert "lakehouse.note" not in properties(lake.spark, name)


def test_a_main_that_moves_within_the_transaction_is_noticed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking at main and committing, where only Iceberg itself can tell."""
    name = table_of(lake, ("active", 1))
    base = current_snapshot(lake.spark, name)
    move = publish_module._move_main

    def late(transaction: Any, *rest: Any) -> None:
        move(transaction, *rest)
        move_main(lake.another_session(), name)

    monkeypatch.setattr(publish_module, "_move_main", late)

    with pytest.raises(ConcurrentPublishError):
        publish(lake.spark, name, appending(lake.spark, ("mine", 2)), base=base)

    assert contents(lake.spark, name) == {"active": 1, "other": 9}


def test_somebody_elses_branch_is_no_conflict(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    name = table_of(lake, ("active", 1))
    base = current_snapshot(lake.spark, name)
    move = publish_module._move_main
    calls: list[int] = []

    def late(transaction: Any, *rest: Any) -> None:
        move(transaction, *rest)
        calls.append(1)
        if len(calls) == 1:
            lake.another_session().sql(f"ALTER TABLE {name} CREATE BRANCH somebody")

    monkeypatch.setattr(publish_module, "_move_main", late)

    publish(lake.spark, name, appending(lake.spark, ("mine", 2)), base=base)

    assert len(calls) == 2
    assert contents(lake.spark, name) == {"active": 1, "mine": 2}


@pytest.mark.parametrize("arrives", [True, False])
def test_a_lost_answer_is_not_taken_for_a_failure(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    """The transaction commits, or does not, and then its answer is an error."""
    name = table_of(lake, ("active", 1))
    base = current_snapshot(lake.spark, name)
    move = publish_module._move_main

    def unsure(transaction: Any, *rest: Any) -> None:
        move(transaction, *rest)
        if arrives:
            transaction.commitTransaction()
        lake.spark._jvm.java.util.Optional.empty().get()  # a Java exception that says nothing of a conflict

    monkeypatch.setattr(publish_module, "_move_main", unsure)
    write = appending(lake.spark, ("mine", 2))

    if arrives:
        after = publish(lake.spark, name, write, base=base, properties={"lakehouse.note": "mine"})
        assert current_snapshot(lake.spark, name) == after
        assert properties(lake.spark, name)["lakehouse.note"] == "mine"
    else:
        with pytest.raises(Py4JJavaError, match="No value present"):
            publish(lake.spark, name, write, base=base)
        assert current_snapshot(lake.spark, name) == base
    assert contents(lake.spark, name) == {"active": 1} | ({"mine": 2} if arrives else {})
    assert branches(lake.spark, name) == []


@pytest.mark.parametrize("point", [*POINTS, "published"])
def test_killed_at_a_commit_point_and_run_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    name = table_of(lake, ("active", 1))
    base = current_snapshot(lake.spark, name)
    rows = lake.spark.createDataFrame([("mine", 2)], STATUS_HEALTH.schema_ddl)

    with killed_at(point, monkeypatch), pytest.raises(Killed):
        publish(lake.spark, name, replacing(rows, STATUS_HEALTH), base=base)
    assert contents(lake.spark, name) == ({"mine": 2} if point == "published" else {"active": 1})

    publish(lake.spark, name, replacing(rows, STATUS_HEALTH), base=current_snapshot(lake.spark, name))

    assert contents(lake.spark, name) == {"mine": 2}


def test_an_abandoned_branch_is_dropped_by_expiry(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    name = table_of(lake, ("active", 1))
    monkeypatch.setattr(publish_module, "BRANCH_RETENTION_MS", 1)

    base = current_snapshot(lake.spark, name)
    with killed_at("publish the branch", monkeypatch), pytest.raises(Killed):
        publish(lake.spark, name, appending(lake.spark, ("mine", 2)), base=base)
    assert len(branches(lake.spark, name)) == 1

    load_table(lake.spark, name).expireSnapshots().commit()

    assert branches(lake.spark, name) == []


@pytest.mark.aws
def test_four_writers_at_once_lose_nothing(glue_lake: Lake) -> None:
    """Each adds 60 rows by two publishes, from sessions that share no cache, on the emulated Glue."""
    name = table_of(glue_lake)
    together = Barrier(4)

    def add(writer: int) -> list[Snapshot]:
        spark = glue_lake.another_session()
        together.wait()
        return [start_over(lambda part=part: add_part(spark, writer, part), attempts=40) for part in range(2)]

    def add_part(spark: SparkSession, writer: int, part: int) -> Snapshot:
        rows = [(f"{writer}-{part}-{number}", number) for number in range(30)]
        return publish(spark, name, appending(spark, *rows), base=current_snapshot(spark, name))

    with ThreadPoolExecutor(4) as pool:
        published = [snapshot for each in pool.map(add, range(4)) for snapshot in each]

    assert sorted(snapshot.rows for snapshot in published) == [30 * (n + 1) for n in range(8)]
    assert len(contents(glue_lake.spark, name)) == 240
    assert branches(glue_lake.spark, name) == []


def test_starting_over_ends(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def run() -> None:
        calls.append(1)
        raise ConcurrentPublishError("t changed since this run looked at it")

    with pytest.raises(ConcurrentPublishError):
        start_over(run, attempts=3)

    assert len(calls) == 3
    assert caplog.text.count("starting over") == 2
