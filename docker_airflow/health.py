"""Healthcheck of a container: ``health.py URL [PART]``, exit 0 if URL answers 200.

With PART the answer must be Airflow's, and report that part of it (``scheduler``, ...) as healthy.
"""

from __future__ import annotations

import json
import sys
import urllib.request

TIMEOUT_SECONDS = 8


def main(url: str, part: str | None = None) -> int:
    """0 if healthy; else 1, and why."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - a URL of the stack
            found = json.load(answer)
    except (OSError, ValueError) as error:
        print(f"{url}: {error}")
        return 1
    if part and found.get(part, {}).get("status") != "healthy":
        print(f"{url}: {part} is {found.get(part)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
