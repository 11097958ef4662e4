"""The summary of a run: what is shown, and what is refused."""

from __future__ import annotations

import pytest
from rich.console import Console

from ops.run_summary import main, metrics_table


def row(part: str, **values: object) -> dict[str, object]:
    empty = dict.fromkeys(("seconds", "retries", "rows", "bytes", "cluster_hours", "cost_usd"))
    return {"run_id": "manual__1", "part": part, "state": "COMPLETED", **empty, **values}


def test_a_run_is_shown_part_by_part() -> None:
    console = Console(width=120, record=True)
    console.print(
        metrics_table(
            [row("ingest_events", seconds=12.5, rows=20_000), row("cluster", cluster_hours=0.5, cost_usd=0.1)]
        )
    )
    shown = console.export_text()
    assert "Run manual__1" in shown
    assert "20,000" in shown
    assert "12.50" in shown
    assert "None" not in shown


@pytest.mark.parametrize(
    "arguments", [["--run", "x' OR '1'='1"], ["--dag", "a'; DROP TABLE b"], ["--run", ""]]
)
def test_an_id_that_could_end_a_string_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "is not an id" in capsys.readouterr().err
