"""Making stream, Firehose and bronze table by the script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from config import names
from kinesis import setup_kinesis
from ops.deployment.deployer import Deployer
from tests.support.accounts import new_account
from tests.support.emulated_aws import EmulatedAws

ROOM = Path(setup_kinesis.__file__).parent


@pytest.mark.aws
def test_the_script_makes_what_is_missing_and_says_what_stood(
    emulated_aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = new_account(emulated_aws)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "setup_kinesis.py", *arguments],
            cwd=ROOM,
            env={**inherited, **account.environment, "ENVIRONMENT": "dev"},
            capture_output=True,
            text=True,
            check=False,
        )

    too_early = run()
    assert too_early.returncode == 1
    assert "--only buckets" in too_early.stderr

    monkeypatch.setenv("AWS_ENDPOINT_URL", emulated_aws.endpoint)
    deployer = Deployer(account.session(), "dev", Console(quiet=True))
    deployer.apply(["buckets", "catalog"], {}, lambda _: True)
    made = run("--buffer-seconds", "5", "--shards", "3")
    assert made.returncode == 0, made.stderr
    assert "clickstream-etl-dev-catalog  Glue database and bronze table  unchanged" in made.stdout
    assert "+ Stream AWS::Kinesis::Stream" in made.stdout
    stream = account.client("kinesis").describe_stream_summary(StreamName=names.STREAM)
    assert stream["StreamDescriptionSummary"]["OpenShardCount"] == 3

    again = run()
    assert again.returncode == 0
    assert "Nothing to do: 2 stacks are as the templates say." in again.stdout
    planned = run("--plan", "--buffer-seconds", "900")
    assert "IntervalInSeconds: 5 → 900" in planned.stdout
    too_long = run("--buffer-seconds", "901")
    assert too_long.returncode == 1
    assert "BufferIntervalSeconds" in too_long.stderr


def test_options_default_to_the_environment() -> None:
    options = setup_kinesis.parse_options([], {"ENVIRONMENT": "prod", "AWS_REGION": "us-east-1"})
    assert (options.environment, options.region) == ("prod", "us-east-1")
    command = setup_kinesis.deploy_command(options)
    assert command[1:4] == ["-m", "ops.deploy", "apply"]
    assert "--parameter" not in command


@pytest.mark.parametrize("arguments", [["--environment", "test"], ["--shards", "many"], ["--unknown"]])
def test_wrong_arguments_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        setup_kinesis.parse_options(arguments, {})
    assert exit_.value.code == 2


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        setup_kinesis.parse_options(["--help"], {})
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert "s3_buckets.yaml" in shown
    assert "--buffer-seconds" in shown
