"""Run drills one after the other on one stack, as named, account for every event after each; print the table.

    python -m tests.drills                    all of them
    python -m tests.drills scheduler s3_unavailable --state /tmp/drills
    python -m tests.drills --markdown docs/drills.txt

A run before the first has all tables made; one after the last counts every event of all drills, record by
record, up to the KPI tables. Exits 1 if one did not recover, an event is lost or counted twice, or a cluster
is left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local_stack.supervisor import StackError
from tests.drills.drills import DRILLS, WITHOUT_EVENTS
from tests.drills.stack import ALL_EVENTS, DrillStack
from tests.drills.stream_drills import DISORDER, EVENTS
from tests.support.local_stack import free_ports

GOOD = "0 lost, 0 double, no cluster left"


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
        return self.name, self.what, f"{self.seconds:.0f} s", " ".join(self.problem.split()) or GOOD


def begin(stack: DrillStack) -> float:
    """A run before the drills: all tables of events are made."""
    started = time.monotonic()
    stack.send(EVENTS, *DISORDER)
    stack.require_green(stack.trigger(ALL_EVENTS))
    return time.monotonic() - started


def count_all(stack: DrillStack) -> float:
    """A run after the drills: every record counted, from the manifests to the KPI tables."""
    started = time.monotonic()
    stack.require_green(stack.trigger(ALL_EVENTS))
    stack.reconcile()
    return time.monotonic() - started


def run_drills(stack: DrillStack, wanted: list[str], console: Console) -> Iterator[Outcome]:
    """Run them in this order, with a run before and after them unless none has to do with events."""
    steps: dict[str, Callable[[DrillStack], float]] = {name: DRILLS[name] for name in wanted}
    has_events = bool(steps.keys() - WITHOUT_EVENTS)
    if has_events:
        steps = {"(before)": begin, **steps, "(after)": count_all}
    for name, step in steps.items():
        console.print(f"{time.strftime('%H:%M:%S')} {name} ...")
        seconds, problem = 0.0, ""
        try:
            seconds = step(stack)
            verify(stack, has_events=has_events)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        outcome = Outcome(name, (step.__doc__ or "").strip(), seconds, problem)
        console.print(f"{time.strftime('%H:%M:%S')} {' | '.join(outcome.row)}", markup=False)
        yield outcome


def verify(stack: DrillStack, *, has_events: bool) -> None:
    """Require that no cluster is left and that the account, if there is one, adds up.

    Raises:
        StackError: what is wrong.
    """
    found = [f"cluster {each} is left" for each in stack.live_clusters()]
    found += stack.differences() if has_events else []
    if found:
        raise StackError("; ".join(found))


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
    wanted = options.names or list(DRILLS)
    with DrillStack(state / "state").running() as stack:
        outcomes = list(run_drills(stack, wanted, console))
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
