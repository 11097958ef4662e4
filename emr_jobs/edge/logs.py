"""Where commands log to."""

from __future__ import annotations

import logging
import sys

TALKATIVE = ("httpx", "py4j")


def log_to_stderr() -> None:
    """Send logs to standard error; libraries' own lines per request are left out."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    for library in TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)
