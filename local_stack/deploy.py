"""Deploy the stacks to an emulated AWS that is up, and write its settings as a file that a shell can source.

    python -m local_stack.deploy --endpoint http://aws:4566 --settings /settings/env

The quick start does this itself; the container stacks have a service of their own for it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from config.environments import PROFILES
from local_stack.environment import deploy_stacks, enter
from ops.deployment.errors import DeployError


def main() -> int:
    """Run the command line; 1 with a message when a stack cannot be deployed."""
    parser = argparse.ArgumentParser(
        prog="python -m local_stack.deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--endpoint", required=True, help="where the emulated AWS listens")
    parser.add_argument("--settings", type=Path, required=True, help="the file to write")
    parser.add_argument("--environment", choices=sorted(PROFILES), default="dev", help="default: %(default)s")
    options = parser.parse_args()
    enter(options.endpoint)
    try:
        deploy_stacks(options.settings, options.environment, Console(width=120))
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
