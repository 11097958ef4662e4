"""Readable progress: one line per stage, with what it took, and where to look when it fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console


@dataclass
class Stages:
    """Prints stages as they start and end, and remembers the seconds that each took."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)
    _started: set[str] = field(default_factory=set)

    @contextmanager
    def stage(self, name: str, detail: str = "") -> Iterator[None]:
        """Run one stage: a line when it is done, or a line when it failed."""
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self._line("[red]✗[/red]", name, time.monotonic() - started, "")
            raise
        self.seconds[name] = round(time.monotonic() - started, 1)
        self._line("[green]✓[/green]", name, self.seconds[name], detail)

    def task(self, task_id: str, state: str, seconds: float) -> None:
        """A line for an Airflow task that started or ended; that it defers itself meanwhile is no news."""
        marks = {
            "running": "[blue]…[/blue]",
            "success": "[green]✓[/green]",
            "failed": "[red]✗[/red]",
            "upstream_failed": "[red]✗[/red]",
            "up_for_retry": "[yellow]↻[/yellow]",
            "skipped": "[dim]-[/dim]",
        }
        resumed = state == "running" and task_id in self._started
        if state == "running":
            self._started.add(task_id)
        elif state == "up_for_retry":
            self._started.discard(task_id)
        if state in marks and not resumed:
            done = state in ("success", "failed")
            self._line(f"  {marks[state]}", f"{task_id} {state}", seconds if done else None, "")

    def _line(self, mark: str, name: str, seconds: float | None, detail: str) -> None:
        took = f"{seconds:6.1f} s" if seconds is not None else " " * 8
        self.console.print(f"{mark} {name:<44} {took}  [dim]{detail}[/dim]", highlight=False)
