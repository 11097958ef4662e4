"""Questions by name, and what their answers cost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from ops import ask
from ops.athena import QueryResult
from ops.terminal import result_table


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = ask.main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_lists_what_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed(capsys)
    assert code == 0
    assert "worst_sensors_this_week" in out


def test_an_unknown_question_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = printed(capsys, "no_such_question")
    assert code == 1
    assert "no_such_question is no file and no question" in err
    assert "late_data" in err


def test_missing_settings_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("BRONZE_BUCKET", "ICEBERG_BUCKET", "SCRIPTS_BUCKET", "LOGS_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = printed(capsys, "late_data")
    assert code == 1
    assert "ICEBERG_BUCKET is not set" in err


def test_a_file_is_a_question_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.sql"
    file.write_text("SELECT 1")
    assert ask.find_sql(str(file)) == "SELECT 1"


def test_the_cost_is_that_of_the_bytes_scanned() -> None:
    assert QueryResult(("n",), [], scanned_bytes=3 * 10**12).dollars == pytest.approx(15)
    assert QueryResult(("n",), [], scanned_bytes=1).dollars == pytest.approx(0.00005)


def test_an_answer_tells_rows_bytes_seconds_and_dollars() -> None:
    time = datetime(2026, 6, 10, 3, 4, 5, 678, tzinfo=UTC)
    result = QueryResult(
        ("n", "share", "at"), [(1, None, time), (2, 1 / 3, None)], scanned_bytes=2_500_000_000, seconds=3.25
    )
    assert ask.cost_line(result) == "2 rows; 2,500.000 MB scanned in 3.2 s, 0.012500 US dollars"
    console = Console(width=100)
    with console.capture() as captured:
        console.print(result_table(result))
    assert "0.333333" in captured.get()
    assert "2026-06-10 03:04:05 " in captured.get()
