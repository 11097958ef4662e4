"""Run drills one after the other on one stack, reconcile after each, and print the table.

    python -m tests.drills                    all of them
    python -m tests.drills scheduler s3_unavailable --state /tmp/drills
    python -m tests.drills --markdown docs/drills.txt

Exits 1 if one did not recover, an event is lost or counted twice, or a cluster is left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.drills.drills import DRILLS, WITHOUT_RUN
from tests.drills.stack import DrillStack
from tests.support.local_stack import free_ports


@dataclass(frozen=True)
class Outcome:
    """What a drill came to: ``problem`` is empty when all is well, ``seconds`` what recovery took."""

    name: str
    what: str
    seconds: float
    problem: str = ""

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Its row in the table."""
        took = f"{self.seconds:.0f} s"
        return self.name, self.what, took, self.problem or "0 lost, 0 double, no cluster left"


def run_drills(stack: DrillStack, wanted: list[str], console: Console) -> Iterator[Outcome]:
    """Run them in their order; those without a run of their own are counted by one run after the last."""
    last_without_run = [name for name in wanted if name in WITHOUT_RUN][-1:]
    for name in wanted:
        drill = DRILLS[name]
        console.print(f"{time.strftime('%H:%M:%S')} {name} ...")
        seconds, problem = 0.0, ""
        try:
            seconds = drill(stack)
            if name not in WITHOUT_RUN or name in last_without_run:
                problem = verify(stack, must_run=name in WITHOUT_RUN)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        outcome = Outcome(name, (drill.__doc__ or "").strip(), seconds, problem)
        console.print(f"{time.strftime('%H:%M:%S')} {' | '.join(outcome.row)}", markup=False)
        yield outcome


def verify(stack: DrillStack, *, must_run: bool) -> str:
    """What is wrong after a drill; empty if nothing is."""
    if must_run:
        state = stack.wait_for_run(stack.trigger())
        if state != "success":
            return f"the run after it ended {state}"
    if stack.live_clusters():
        return f"clusters are left: {stack.live_clusters()}"
    return "" if stack.reconciles() else "events are lost or counted twice: see python -m ops.reconcile"


def _drill(name: str) -> str:
    if name not in DRILLS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(DRILLS)}")
    return name


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.drills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", type=_drill, metavar="DRILL", help=", ".join(DRILLS))
    parser.add_argument("--state", type=Path, help="where the stack keeps its state (default: a new folder)")
    parser.add_argument("--markdown", type=Path, help="also write the table there")
    options = parser.parse_args()
    console = Console(width=160)
    for variable, port in zip(("AIRFLOW_PORT", "LOCAL_AWS_PORT", "WEATHER_PORT"), free_ports(3), strict=True):
        os.environ[variable] = str(port)
    state = options.state or Path(tempfile.mkdtemp(prefix="drills-"))
    with DrillStack(state / "state").running() as stack:
        outcomes = list(
            run_drills(stack, [name for name in DRILLS if name in (options.names or DRILLS)], console)
        )
    table = Table("drill", "what breaks", "time to recover", "verdict")
    for outcome in outcomes:
        table.add_row(*outcome.row)
    console.print(table)
    if options.markdown:
        lines = ["| drill | what breaks | time to recover | verdict |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(outcome.row)} |" for outcome in outcomes]
        options.markdown.write_text("\n".join(lines) + "\n")
    return 1 if any(outcome.problem for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
