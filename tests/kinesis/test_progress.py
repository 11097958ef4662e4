from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from kinesis import progress
from kinesis.progress import ProgressLine, show_progress
from kinesis.records import Record
from kinesis.tally import Tally


class _Lines(io.StringIO):
    """Notices when enough lines were written."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.enough = threading.Event()
        self._expected = enough

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.getvalue().count("\n") >= self._expected:
            self.enough.set()
        return written


@pytest.fixture
def tally() -> Tally:
    tally = Tally()
    tally.take([Record(b"{}", "1", None, None, "")] * 2000)
    tally.ack(["shard-1"] * 1500)
    return tally


def test_the_line_says_what_is_going_on(tally: Tally) -> None:
    text = ProgressLine(tally).text()
    assert text.startswith("sent 2,000  acked 1,500  ")
    assert text.endswith("/s  in flight 500  resent 0  throttled 0")


def test_trouble_is_mentioned_when_there_is_some(tally: Tally) -> None:
    tally.call(500, again=True)
    tally.throttle(20)
    tally.fail_call(unknown_outcomes=500)
    tally.give_up(500)
    text = ProgressLine(tally).text()
    assert text.endswith("in flight 0  resent 500  throttled 20  failed calls 1  given up 500")


@pytest.mark.parametrize("terminal", [True, False])
def test_the_last_state_stays_on_the_screen(tally: Tally, terminal: bool) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=200)
    with show_progress(tally, console):
        tally.ack(["shard-1"] * 500)
    lines = [line for line in output.getvalue().splitlines() if "acked" in line]
    assert "sent 2,000  acked 2,000" in lines[-1]


def test_without_a_terminal_there_is_a_line_now_and_then(
    tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.01)
    lines = _Lines(3)
    with show_progress(tally, Console(file=lines, force_terminal=False, width=200)):
        assert lines.enough.wait(30)
    assert all(line.startswith("sent 2,000") for line in lines.getvalue().splitlines())
