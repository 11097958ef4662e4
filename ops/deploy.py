"""Deploy the platform's stacks, show what a deployment would change, or remove them.

    python -m ops.deploy plan    --environment dev          what would change; nothing happens
    python -m ops.deploy apply   --environment dev          show it, ask, do it
    python -m ops.deploy status  --environment dev          every stack's state and outputs
    python -m ops.deploy destroy --environment dev          remove the stacks, the last first

It works in the account of the current credentials and in the region of --region or AWS_REGION. With
AWS_ENDPOINT_URL it works wherever that leads.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

import boto3
from rich.console import Console
from rich.prompt import Confirm, Prompt

from config.environments import PROFILES
from config.project_config import DEFAULT_REGION
from config.stacks import STACKS
from ops.deployment.deployer import Deployer, identify
from ops.deployment.errors import DeployError
from ops.terminal import command_parser, complain


def deploy_all(
    session: boto3.session.Session,
    environment: str,
    parameters: Mapping[str, str] | None = None,
    *,
    console: Console | None = None,
) -> dict[str, str]:
    """Deploy every stack of an environment without asking.

    ``parameters`` go to every template that has them. Answers the settings that the deployment
    gives: those of ``config.stacks.SETTINGS`` (BRONZE_BUCKET, ...), AWS_REGION and ENVIRONMENT.
    Progress goes to ``console``; without one it is silent.

    Raises:
        DeployError: with a message for the user; it is safe to call again.
    """
    caller = identify(session)
    deployer = Deployer(session, environment, console or Console(quiet=True))
    deployer.apply(None, parameters or {}, lambda question: True)
    return {**deployer.settings(), "AWS_REGION": caller.region, "ENVIRONMENT": environment}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when done, 1 with a message when not."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        _run(options, console)
    except DeployError as error:
        complain(error)
        return 1
    return 0


def _run(options: argparse.Namespace, console: Console) -> None:
    session = boto3.session.Session(region_name=options.region)
    caller = identify(session)
    console.print(f"{options.environment} in account {caller.account_id}, {caller.region}", style="bold")
    deployer = Deployer(session, options.environment, console)
    if options.command == "plan":
        deployer.plan(options.only, dict(options.parameter))
    elif options.command == "apply":
        deployer.apply(options.only, dict(options.parameter), lambda text: options.yes or _ask(text))
    elif options.command == "status":
        deployer.status(with_drift=options.drift)
    else:
        deployer.destroy(
            options.only,
            lambda text: options.yes or _ask_for_name(text, options.environment),
            delete_data=options.delete_data,
        )


def _ask(question: str) -> bool:
    _require_terminal()
    return Confirm.ask(question, default=False)


def _ask_for_name(question: str, environment: str) -> bool:
    _require_terminal()
    return Prompt.ask(f"{question} Type {environment} to go on") == environment


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        raise DeployError("There is no terminal to ask in. Look at the plan above, then give --yes.")


def _parameter(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not Key=Value")
    return key, value


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--environment", choices=sorted(PROFILES), default=os.environ.get("ENVIRONMENT") or "dev"
    )
    common.add_argument(
        "--region",
        default=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION,
        help="default: AWS_REGION, else %(default)s",
    )
    some = argparse.ArgumentParser(add_help=False)
    some.add_argument(
        "--only",
        nargs="+",
        choices=[spec.concern for spec in STACKS],
        metavar="CONCERN",
        help="; ".join(f"{spec.concern}: {spec.doc}" for spec in STACKS),
    )
    parameters = argparse.ArgumentParser(add_help=False)
    parameters.add_argument(
        "--parameter",
        action="append",
        type=_parameter,
        default=[],
        metavar="Key=Value",
        help="a template's parameter, for every selected template that has it; kept by later deployments",
    )
    yes = argparse.ArgumentParser(add_help=False)
    yes.add_argument("--yes", action="store_true", help="do not ask")

    parser = command_parser("ops.deploy", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("plan", parents=[common, some, parameters], help="show what would change")
    commands.add_parser("apply", parents=[common, some, parameters, yes], help="deploy")
    status = commands.add_parser("status", parents=[common], help="show every stack's state and outputs")
    status.add_argument("--drift", action="store_true", help="also look for what was changed by hand")
    destroy = commands.add_parser("destroy", parents=[common, some, yes], help="remove the stacks")
    destroy.add_argument(
        "--delete-data", action="store_true", help="also remove buckets that hold data, with the data"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
