"""What every emulated service is told when it is installed into the process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ServerContext:
    """Where the emulated AWS listens and keeps its files.

    ``endpoint`` is ``http://127.0.0.1:PORT``; ``state_dir`` an existing folder that survives
    restarts; ``region`` the region of requests that name none.
    """

    endpoint: str
    state_dir: Path
    region: str


class Worker(Protocol):
    """A data plane that runs in the background of the process.

    A service package has ``install(context) -> Worker | None``: it mends moto's classes, and returns
    its worker where it has one. ``start`` is called once the server listens and saved state is loaded;
    ``stop`` on a clean stop, before state is saved: it finishes or flushes what is under way.
    """

    def start(self) -> None:
        """Begin to work in threads of its own."""

    def stop(self) -> None:
        """Flush, end the threads, and return within seconds."""
