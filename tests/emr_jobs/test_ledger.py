"""The ledger of what was taken in: what is new, what is closed, what it keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from emr_jobs.lake.ledger import Ledger, by_folder, from_folders, hour_of

NOW = datetime(2026, 6, 3, 5, 30, tzinfo=UTC)
ROOT = "s3://bronze/clickstream"


def file(day: int, hour: int, name: str = "a") -> str:
    return f"{ROOT}/dt=2026-06-{day:02d}/hour={hour:02d}/{name}"


def test_only_open_hours_and_only_what_is_not_in_is_new() -> None:
    ledger = Ledger().after([file(1, 6), file(3, 4)], {}, [], NOW, open_hours=48)

    assert ledger.closed == "2026-06-01T05"
    listed = [file(1, 4), file(1, 5), file(1, 6), file(3, 4), file(3, 4, "late")]
    assert ledger.new_files(listed) == [file(1, 5), file(3, 4, "late")]


def test_hours_close_and_never_open_again() -> None:
    ledger = Ledger().after([file(1, 6)], {}, [], NOW, open_hours=24)
    assert (ledger.closed, ledger.taken) == ("2026-06-02T05", frozenset())

    assert ledger.after([], {}, [], NOW, open_hours=48).closed == "2026-06-02T05"


def test_what_a_rollback_took_out_is_owed_until_it_is_in_again() -> None:
    ledger = Ledger().after([file(1, 6), file(3, 4)], {"2026-06-03": 5}, [], NOW, open_hours=24)

    reopened = ledger.reopened([file(1, 6), file(3, 4)], {"2026-06-03": 2})

    assert reopened.new_files([file(3, 4)]) == [file(1, 6), file(3, 4)]
    assert reopened.duplicates == {"2026-06-03": 3}
    again = reopened.after([file(1, 6), file(3, 4)], {"2026-06-03": 2}, [], NOW, open_hours=24)
    assert again == ledger


def test_it_survives_as_json() -> None:
    ledger = Ledger(
        closed="2026-06-01T05",
        taken=frozenset({file(3, 4), file(3, 4, "b, ü")}),
        owed=frozenset({file(1, 0)}),
        duplicates={"2026-06-03": 2},
        retired=frozenset({(file(1, 0), 7)}),
    )

    assert Ledger.from_json(ledger.to_json()) == ledger
    assert Ledger.from_json(None) == Ledger()


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
