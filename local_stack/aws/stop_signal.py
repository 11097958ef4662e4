"""How the emulated AWS hears that it is to stop."""

from __future__ import annotations

import os
import signal


class StopSignal:
    """Catches SIGTERM and SIGINT from its making on, for the rest of the process; main thread only.

    A thread that starts another may take a signal meant for the process (its mask is restored while the
    signal waits). Python runs handlers in the main thread alone, which sleeps on in ``Event.wait``: it has
    to wait for the byte that is written in whatever thread the signal arrives.
    """

    def __init__(self) -> None:
        self._arrived, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)

    def wait(self) -> None:
        """Return once a signal has arrived, be it long ago."""
        os.read(self._arrived, 1)
