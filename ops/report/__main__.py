"""Write the report of a run: one HTML file that needs nothing else and reads well on a phone.

    python -m ops.report               of the newest run, to .local/report.html and to S3 beside its logs
    python -m ops.report --run RUN_ID  of another
    python -m ops.report --no-upload   to the file alone

In S3 it lies at s3://LOGS_BUCKET/reports/clickstream_emr_kpis/RUN_ID.html. Reads the settings from the
environment and .env.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import boto3

from config.project_config import Settings
from lakehouse.objects import bucket_and_key
from ops.report.facts import gather
from ops.report.page import render
from ops.terminal import command_parser, read_settings, tells_errors

FILE = Path(__file__).resolve().parents[2] / ".local" / "report.html"


def upload(session: boto3.session.Session, settings: Settings, run_id: str, page: str) -> str:
    """Put the page where the run's task links to; returns its URI."""
    uri = settings.report_uri(run_id)
    bucket, key = bucket_and_key(uri)
    s3 = session.client("s3", region_name=settings.aws_region)
    s3.put_object(Bucket=bucket, Key=key, Body=page.encode(), ContentType="text/html; charset=utf-8")
    return uri


@tells_errors(LookupError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 with a message when there is nothing to report or it cannot be read."""
    parser = command_parser("ops.report", __doc__)
    parser.add_argument("--run", metavar="RUN_ID", help="a DAG run (default: the newest)")
    parser.add_argument("--output", type=Path, default=FILE, help="the file (default: .local/report.html)")
    parser.add_argument("--no-upload", action="store_true", help="do not copy it to S3")
    options = parser.parse_args(arguments)
    settings = read_settings()
    session = boto3.session.Session(region_name=settings.aws_region)
    facts = gather(session, settings, options.run)
    if options.run and facts.run is None:
        raise LookupError(f"EMR knows no cluster of the run {options.run}; it forgets them after two months")
    if not any(facts.answers.values()):
        raise LookupError("there is nothing to report yet: send events and run the DAG first")
    page = render(facts)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(page, encoding="utf-8")
    print(options.output)
    if facts.run and not options.no_upload:
        print(upload(session, settings, facts.run.run_id, page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
