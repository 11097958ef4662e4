"""Submit one Spark job to a running EMR cluster by hand, follow it, and read its logs.

Examples, with the buckets in the environment or in .env (or after `source .local/env`):

  python airflow/emr_boto_helper.py list
      the live clusters; `list --cluster j-XXX` its steps
  python airflow/emr_boto_helper.py submit --cluster j-XXX --job kpi_sensor_health
      publish the code of this checkout, run the job as a step, follow it to its end
  python airflow/emr_boto_helper.py logs --cluster j-XXX --step s-YYY --stream stdout
      the end of a step's output

`submit` follows a step of the same job that is pending or running already, rather than start a second
one: so after Ctrl-C, which leaves the step alone, the same command follows it again.

Exit code: 0 done, 1 the step did not complete or AWS refuses, 2 wrong arguments or settings.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from dotenv import dotenv_values, find_dotenv
from rich.console import Console
from rich.table import Table

from config.jobs import ALL_JOBS, emr_step
from config.project_config import ConfigError, Settings
from lakehouse.aws_calls import NO_RETRIES
from lakehouse.bundle import publish_bundle
from lakehouse.clusters import LIVE_STATES
from lakehouse.step_logs import STREAMS, TAIL_LINES, examine_failure, read_log, step_log_uri, tail
from lakehouse.steps import ENDED_STATES, ensure_step, step_status

console = Console(soft_wrap=True, highlight=False)


def submit(arguments: argparse.Namespace, settings: Settings, emr: Any, s3: Any) -> int:
    """Publish the bundle, submit or adopt the job's step, and follow it unless told not to."""
    bundle = publish_bundle(s3, settings)
    step = emr_step(ALL_JOBS[arguments.job], settings, bundle, *arguments.options)
    submitter = boto3.client("emr", region_name=settings.aws_region, config=NO_RETRIES)
    step_id = ensure_step(emr, submitter, arguments.cluster, step)
    console.print(f"Step {step_id} ({arguments.job}) on {arguments.cluster}, code {bundle.uri}")
    if arguments.no_follow:
        return 0
    return follow(emr, s3, arguments.cluster, step_id, settings.emr_poll_seconds)


def follow(emr: Any, s3: Any, cluster_id: str, step_id: str, poll_seconds: float) -> int:
    """Print the states of a step until it ends, then the end of its stdout, or why it failed."""
    started = time.monotonic()
    shown = ""
    while True:
        status = step_status(emr, cluster_id, step_id)
        if status.state != shown:
            console.print(f"{time.monotonic() - started:6.0f} s  {status.state}")
            shown = status.state
        if status.state in ENDED_STATES:
            break
        time.sleep(poll_seconds)
    if status.state != "COMPLETED":
        console.print(examine_failure(emr, s3, cluster_id, step_id, status).report, markup=False)
        return 1
    uri = step_log_uri(emr, cluster_id, step_id, "stdout")
    text = read_log(s3, uri) if uri else None
    console.print(tail(text) if text else f"No output in S3 yet: {uri}", markup=False)
    return 0


def list_clusters_or_steps(arguments: argparse.Namespace, settings: Settings, emr: Any, s3: Any) -> int:
    """Show the live clusters, or a cluster's steps, the newest first."""
    if arguments.cluster:
        table = Table("step", "name", "state", "created", title=f"Steps of {arguments.cluster}")
        pages = emr.get_paginator("list_steps").paginate(ClusterId=arguments.cluster)
        rows = [step for page in pages for step in page["Steps"]]
    else:
        table = Table("cluster", "name", "state", "created", title="Live clusters")
        pages = emr.get_paginator("list_clusters").paginate(ClusterStates=list(LIVE_STATES))
        rows = [cluster for page in pages for cluster in page["Clusters"]]
    for row in rows:
        created = row["Status"]["Timeline"]["CreationDateTime"]
        table.add_row(row["Id"], row["Name"], row["Status"]["State"], f"{created:%Y-%m-%d %H:%M:%S %Z}")
    console.print(table)
    return 0


def logs(arguments: argparse.Namespace, settings: Settings, emr: Any, s3: Any) -> int:
    """Print the end of one stream of a step."""
    uri = step_log_uri(emr, arguments.cluster, arguments.step, arguments.stream)
    text = read_log(s3, uri) if uri else None
    if text is None:
        console.print(f"Not there: {uri}. EMR copies logs to S3 every few minutes." if uri else "No LogUri.")
        return 1
    console.print(tail(text, arguments.lines), markup=False)
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; wrong arguments end the process with usage and exit code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("submit", help="run one job as a step of a cluster, and follow it")
    command.add_argument("--cluster", required=True, metavar="j-XXX")
    described = "; ".join(f"{job.name}: {job.doc}" for job in ALL_JOBS.values())
    command.add_argument("--job", required=True, choices=ALL_JOBS, help=described)
    command.add_argument("--no-follow", action="store_true", help="return once the step is submitted")
    command.add_argument("options", nargs="*", help="options of the job, after --")
    command.set_defaults(run=submit)

    command = commands.add_parser("list", help="the live clusters, or the steps of one")
    command.add_argument("--cluster", metavar="j-XXX")
    command.set_defaults(run=list_clusters_or_steps)

    command = commands.add_parser("logs", help="the end of a step's output")
    command.add_argument("--cluster", required=True, metavar="j-XXX")
    command.add_argument("--step", required=True, metavar="s-YYY")
    command.add_argument("--stream", choices=STREAMS, default="stderr")
    command.add_argument("--lines", type=int, default=TAIL_LINES)
    command.set_defaults(run=logs)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; problems that the caller can mend are one message, not a traceback."""
    arguments = parse(argv)
    from_file = dotenv_values(find_dotenv(usecwd=True))
    os.environ.update({name: value for name, value in from_file.items() if value and name not in os.environ})
    try:
        settings = Settings.from_mapping(os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    emr = boto3.client("emr", region_name=settings.aws_region)
    s3 = boto3.client("s3", region_name=settings.aws_region)
    try:
        code: int = arguments.run(arguments, settings, emr, s3)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("No longer following; the step goes on. The same command follows it again.", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
