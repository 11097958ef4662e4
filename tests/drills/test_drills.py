"""What can be said of the drills without running them: they take the better part of an hour."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from tests.drills.drills import DRILLS
from tests.drills.driver_drills import CLOCK, CLOCK_AHEAD

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def test_the_page_has_every_drill() -> None:
    rows = [line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("|")]
    assert [row for row in rows if row in DRILLS] == list(DRILLS)


def test_the_clock_put_ahead_is_ahead_everywhere(tmp_path: Path) -> None:
    (tmp_path / "clock_ahead.py").write_text(CLOCK)
    program = (
        "import clock_ahead, time; from datetime import UTC, datetime; now = datetime.now(UTC); "
        "assert isinstance(now, datetime) and type(now) is datetime; "
        "assert abs(now.timestamp() - time.time()) < 10; print(now.isoformat())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    ahead = datetime.fromisoformat(done.stdout.strip()) - datetime.now().astimezone()
    assert abs((ahead - CLOCK_AHEAD).total_seconds()) < 60
