"""``python guard.py COMMAND...``: run a command, and let nothing of it outlive us.

The parent holds the other end of standard input and steers by it: the byte ``T`` sends SIGTERM to the
command and all its descendants, ``K`` SIGKILL; end of file (the parent closed it, or died, even by
SIGKILL) does the first and, ``GRACE_SECONDS`` later, the second. Descendants that the command leaves
behind are killed when it ends. Exits with the command's own status, 128 + N for signal N.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import psutil

TERMINATE = b"T"
KILL = b"K"
GRACE_SECONDS = 3.0
NOT_FOUND = 127

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that they can be found. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def signal_descendants(number: signal.Signals) -> None:
    """Send a signal to every process below this one."""
    for process in psutil.Process().children(recursive=True):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def kill_descendants() -> None:
    """Kill every process below this one, those started meanwhile as well, and wait until they are gone."""
    while True:
        signal_descendants(signal.SIGKILL)
        try:
            ended, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.01)


def obey(steering: int) -> None:
    """Follow the bytes of the parent until it is gone."""
    while order := os.read(steering, 1):
        signal_descendants(signal.SIGKILL if order == KILL else signal.SIGTERM)
    signal_descendants(signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    signal_descendants(signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run the command to its end."""
    adopt_orphans()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND
    threading.Thread(target=obey, args=[sys.stdin.fileno()], daemon=True).start()
    status = process.wait()
    kill_descendants()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
