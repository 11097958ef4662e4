"""Look at Airflow's runs from the command line, through its REST API.

    python -m ops.runs list                       the last runs of the main DAG
    python -m ops.runs list --dag cluster_sweeper
    python -m ops.runs show RUN_ID                its tasks: state, attempts, seconds
    python -m ops.runs log RUN_ID TASK_ID         the end of a task's log, its last attempt

Airflow's address is AIRFLOW_URL (http://127.0.0.1:8080 unless set, at port AIRFLOW_PORT), the user
AIRFLOW_USER with AIRFLOW_PASSWORD (admin and admin, as in the quick start). Exits 1 if Airflow refuses.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.table import Table

from config import names
from ops.airflow_api import AirflowClient
from ops.terminal import command_parser, complain

RUNS = 10
LINES = 40


def connect(environment: Mapping[str, str]) -> AirflowClient:
    """A client of the Airflow that the environment names."""
    url = environment.get("AIRFLOW_URL") or f"http://127.0.0.1:{environment.get('AIRFLOW_PORT', '8080')}"
    user, password = (environment.get(f"AIRFLOW_{name}", "admin") for name in ("USER", "PASSWORD"))
    return AirflowClient(url, user, password)


def list_runs(airflow: AirflowClient, options: argparse.Namespace) -> Table:
    """The DAG's last runs, the newest first."""
    table = Table("run", "state", "started", "minutes", title=f"Runs of {options.dag}", title_justify="left")
    path = f"dags/{quote(options.dag)}/dagRuns"
    for run in airflow.get(path, order_by="-run_after", limit=options.limit)["dag_runs"]:
        seconds = _seconds(run["start_date"], run["end_date"])
        minutes = "" if seconds is None else f"{seconds / 60:.1f}"
        table.add_row(run["dag_run_id"], run["state"], run["start_date"] or "", minutes)
    return table


def show_run(airflow: AirflowClient, options: argparse.Namespace) -> Table:
    """The tasks of a run, in the order in which they started."""
    table = Table("task", "state", "attempts", "seconds", title=f"Run {options.run}", title_justify="left")
    path = f"dags/{quote(options.dag)}/dagRuns/{quote(options.run)}/taskInstances"
    tasks = airflow.get(path, limit=100)["task_instances"]
    for task in sorted(tasks, key=lambda each: (each["start_date"] or "9", each["task_id"])):
        seconds = "" if task["duration"] is None else f"{task['duration']:.1f}"
        table.add_row(task["task_id"], task["state"] or "none", str(task["try_number"]), seconds)
    return table


def task_log(airflow: AirflowClient, options: argparse.Namespace) -> str:
    """The last lines of a task's log."""
    path = f"dags/{quote(options.dag)}/dagRuns/{quote(options.run)}/taskInstances/{quote(options.task)}"
    attempt = airflow.get(path)["try_number"]
    content = airflow.get(f"{path}/logs/{attempt}", full_content=True)["content"]
    said = [str(line.get("event", "")) if isinstance(line, dict) else str(line) for line in content]
    return "\n".join("\n".join(said).splitlines()[-options.lines :])


def _seconds(start: str | None, end: str | None) -> float | None:
    if not (start and end):
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = command_parser("ops.runs", __doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run in (("list", list_runs), ("show", show_run), ("log", task_log)):
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run_command=run)
        command.add_argument("--dag", default=names.DAG_ID, metavar="DAG_ID")
        if name == "list":
            command.add_argument("--limit", type=int, default=RUNS)
        else:
            command.add_argument("run", metavar="RUN_ID")
        if name == "log":
            command.add_argument("task", metavar="TASK_ID")
            command.add_argument("--lines", type=int, default=LINES)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 with a message if Airflow refuses or does not answer."""
    options = parse(arguments)
    try:
        shown = options.run_command(connect(os.environ), options)
    except httpx.HTTPError as error:
        complain(f"Airflow: {error}")
        return 1
    Console(soft_wrap=True).print(shown, markup=False, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
