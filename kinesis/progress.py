"""The progress line: redrawn in place on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from kinesis.tally import Tally

PLAIN_SECONDS = 10.0
_RATE_SECONDS = 5.0


class ProgressLine:
    """What a tally says now, with the acknowledged records per second of the last seconds."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._samples = [(time.monotonic(), 0)]

    def __rich__(self) -> Text:
        return Text(self.text())

    def text(self) -> str:
        """One line."""
        tally = self._tally
        parts = [
            f"sent {tally.taken:,}",
            f"acked {tally.acked:,}",
            f"{self._rate():,.0f}/s",
            f"in flight {tally.in_flight:,}",
            f"resent {tally.resent:,}",
            f"throttled {tally.throttled:,}",
        ]
        if tally.failed_calls:
            parts.append(f"failed calls {tally.failed_calls:,}")
        if tally.given_up:
            parts.append(f"given up {tally.given_up:,}")
        return "  ".join(parts)

    def _rate(self) -> float:
        now, acked = time.monotonic(), self._tally.acked
        self._samples.append((now, acked))
        while len(self._samples) > 2 and self._samples[0][0] < now - _RATE_SECONDS:
            del self._samples[0]
        since, before = self._samples[0]
        return (acked - before) / max(now - since, 1e-3)


@contextmanager
def show_progress(tally: Tally, console: Console) -> Iterator[None]:
    """Shows progress while the block runs."""
    line = ProgressLine(tally)
    if console.is_terminal:
        with Live(line, console=console, refresh_per_second=4):
            yield
        return
    done = threading.Event()

    def print_lines() -> None:
        while not done.wait(PLAIN_SECONDS):
            console.print(line.text(), highlight=False, soft_wrap=True)

    printer = threading.Thread(target=print_lines, name="progress", daemon=True)
    printer.start()
    try:
        yield
    finally:
        done.set()
        printer.join()
        console.print(line.text(), highlight=False, soft_wrap=True)
