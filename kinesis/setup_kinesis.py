"""Make what events travel through: the Kinesis stream, the Firehose with its role, and the bronze table.

    cd kinesis && python setup_kinesis.py                    in the environment of .env, else dev
    python setup_kinesis.py --environment prod
    python setup_kinesis.py --buffer-seconds 60              fresher data, smaller files
    python setup_kinesis.py --plan                           only say what would be made or changed

Nothing is made by hand: this deploys the stacks `catalog` and `streaming` from their templates in
cloudformation/, so that what stands already is left alone (and said so), and what differs is
updated. The buckets must be there first:

    aws cloudformation deploy --stack-name clickstream-etl-dev --template-file cloudformation/s3_buckets.yaml

Then: python producer.py

Exit status: 0 everything stands; 1 something could not be made, with the reason; 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dotenv import load_dotenv

from config.environments import PROFILES
from config.project_config import DEFAULT_REGION
from config.stacks import CATALOG, STREAMING

_ROOT = Path(__file__).resolve().parent.parent


def deploy_command(options: argparse.Namespace) -> list[str]:
    """The command line of ops.deploy (a process: this room does not import that one)."""
    command = [sys.executable, "-m", "ops.deploy", "plan" if options.plan else "apply"]
    command += ["--environment", options.environment, "--region", options.region]
    command += ["--only", CATALOG.concern, STREAMING.concern]
    given = {
        "BufferIntervalSeconds": options.buffer_seconds,
        "BufferSizeMB": options.buffer_mb,
        "ShardCount": options.shards,
    }
    for key, value in given.items():
        if value is not None:
            command += ["--parameter", f"{key}={value}"]
    return command if options.plan else [*command, "--yes"]


def parse_options(arguments: Sequence[str] | None, environ: Mapping[str, str]) -> argparse.Namespace:
    """Read the command line; exits with status 2 and a message where it is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--environment",
        choices=sorted(PROFILES),
        default=environ.get("ENVIRONMENT") or "dev",
        help="default: ENVIRONMENT, now %(default)s",
    )
    parser.add_argument(
        "--region",
        default=environ.get("AWS_REGION") or DEFAULT_REGION,
        help="default: AWS_REGION, now %(default)s",
    )
    parser.add_argument(
        "--buffer-seconds",
        type=int,
        metavar="0..900",
        help="Firehose delivers at the latest after this long (at first 300)",
    )
    parser.add_argument(
        "--buffer-mb",
        type=int,
        metavar="64..128",
        help="Firehose delivers at this much input, at first 128; converting, it takes no less than 64",
    )
    parser.add_argument(
        "--shards",
        type=int,
        metavar="1..200",
        help="shards of the dev stream, each 1 MB/s or 1000 records/s (at first 2); prod scales itself",
    )
    parser.add_argument("--plan", action="store_true", help="only show what would be made or changed")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy the two stacks; returns the exit status."""
    load_dotenv(_ROOT / ".env")
    options = parse_options(arguments, os.environ)
    return subprocess.run(deploy_command(options), cwd=_ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
