"""The ledger of what was taken in: what is new, what is closed, what it keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from emr_jobs.lake.commits import Commit, by_folder, from_folders
from emr_jobs.lake.ledger import Ledger, hour_of

NOW = datetime(2026, 6, 3, 5, 30, tzinfo=UTC)
ROOT = "s3://bronze/clickstream"


def file(day: int, hour: int, name: str = "a") -> str:
    return f"{ROOT}/dt=2026-06-{day:02d}/hour={hour:02d}/{name}"


def after(ledger: Ledger, files: list[str], duplicates: dict[str, int], open_hours: int) -> Ledger:
    commit = Commit(files=frozenset(files), duplicates=duplicates)
    return ledger.noting(commit).closing(NOW, open_hours)


def test_only_open_hours_and_only_what_is_not_in_is_new() -> None:
    ledger = after(Ledger(), [file(1, 6), file(3, 5)], {}, open_hours=48)

    assert ledger.closed == "2026-06-01T05"
    listed = [file(1, 4), file(1, 5), file(1, 6), file(3, 5), file(3, 5, "late")]
    assert ledger.new_files(listed) == [file(1, 5), file(3, 5, "late")]


def test_a_file_is_in_once_it_is_taken_or_its_hour_is_closed_unless_it_is_owed() -> None:
    ledger = after(Ledger(), [file(1, 6), file(3, 5)], {}, open_hours=24)
    assert [ledger.has_taken(one) for one in (file(1, 6), file(3, 5), file(3, 5, "late"))] == [
        True,
        True,
        False,
    ]

    owed = ledger.without([Commit(files=frozenset({file(1, 6)}))])
    assert [owed.has_taken(one) for one in (file(1, 6), file(1, 7))] == [False, True]
    assert not ledger.has_taken(f"{ROOT}/a")
    assert not Ledger().has_taken(file(1, 6))


def test_hours_close_and_never_open_again() -> None:
    ledger = after(Ledger(), [file(1, 6), file(3, 5)], {}, open_hours=24)
    assert (ledger.closed, ledger.taken) == ("2026-06-02T05", frozenset({file(3, 5)}))

    assert after(ledger, [], {}, open_hours=48).closed == "2026-06-02T05"


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=400)])
def test_a_clock_that_is_ahead_closes_no_hour_that_still_gets_files(ahead: timedelta) -> None:
    commit = Commit(files=frozenset({file(3, 5)}))

    ledger = Ledger().noting(commit).closing(NOW + ahead, open_hours=24)

    assert ledger.closed == "2026-06-02T05"
    assert ledger.new_files([file(3, 5), file(3, 5, "late")]) == [file(3, 5, "late")]


def test_a_file_from_the_future_closes_no_hour_either() -> None:
    commit = Commit(files=frozenset({file(29, 5)}))

    assert Ledger().noting(commit).closing(NOW, open_hours=24).closed == "2026-06-02T05"


def test_what_a_rollback_took_out_is_owed_until_it_is_in_again() -> None:
    first, second = [file(1, 6), file(3, 4)], [file(3, 5)]
    ledger = after(Ledger(), second, {"2026-06-03": 3}, open_hours=24)
    commit = Commit(
        files=frozenset(first), duplicates={"2026-06-03": 2}, retired=frozenset({(file(1, 0), 1)})
    )
    known = ledger.noting(commit).closing(NOW, open_hours=24).settled()

    reopened = known.without([commit])

    assert reopened.new_files([*first, file(3, 5)]) == first
    assert reopened.new_files([file(3, 5)]) == [], "what is gone"
    assert reopened.duplicates == {"2026-06-03": 3}
    assert (reopened.returned, reopened.reopened) == (commit.files, commit.retired)
    assert not reopened.is_settled
    assert reopened.settled().noting(commit).closing(NOW, open_hours=24).settled() == known


def test_a_rollback_cancels_what_is_still_announced() -> None:
    entry = (file(1, 0), 1)
    commit = Commit(retired=frozenset({entry}), replayed=frozenset({(file(1, 0), 2)}))

    back = Ledger().noting(commit).without([commit])

    assert (back.retired, back.replayed) == (frozenset(), frozenset())


def test_both_survive_as_json() -> None:
    entry = (file(1, 0), 7)
    ledger = Ledger(
        closed="2026-06-01T05",
        taken=frozenset({file(3, 4), file(3, 4, "b, ü")}),
        owed=frozenset({file(1, 0)}),
        duplicates={"2026-06-03": 2},
        erased={"2026-06-03": 1},
        erased_sensors={42: 1_780_000_000},
        retired=frozenset({entry}),
        replayed=frozenset({entry}),
        reopened=frozenset({entry}),
        returned=frozenset({file(1, 0)}),
        erasing=frozenset({42}),
    )
    commit = Commit(ledger.taken, ledger.duplicates, ledger.erased, ledger.retired, ledger.replayed, "why")

    assert Ledger.from_json(ledger.to_json()) == ledger
    assert Ledger.from_json(None) == Ledger()
    known = {"closed": "2026-06-01T05", "taken": {}, "owed": {}, "duplicates": {}, "retired": []}
    assert Ledger.from_json(json.dumps(known)) == Ledger(closed="2026-06-01T05"), "of an earlier version"
    assert Commit.from_properties({**commit.as_properties(), "added-records": "1"}) == commit
    assert Commit.from_properties({}) == Commit()


def test_files_by_folder() -> None:
    files = [file(1, 1), file(1, 1, "b"), file(1, 2)]
    day = f"{ROOT}/dt=2026-06-01"
    assert by_folder(files) == {f"{day}/hour=01/": ["a", "b"], f"{day}/hour=02/": ["a"]}
    assert from_folders(by_folder(files)) == files


@pytest.mark.parametrize(
    "path", ["a", "dt=2026-06-01/a", "dt=2026-06-01/hour=01/more/a", "dt=x/hour=1/a", "hour=01/a"]
)
def test_a_file_in_no_hour_is_no_delivery(path: str) -> None:
    assert hour_of(f"{ROOT}/{path}") is None
    assert Ledger().new_files([f"{ROOT}/{path}"]) == []
