"""``python -m local_stack.aws``: run the emulated AWS until it is interrupted."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from config.project_config import DEFAULT_REGION
from local_stack.aws import listener
from local_stack.trino.choice import EngineChoiceError, chosen_trino


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="port, 0 = any free one (%(default)s)")
    parser.add_argument(
        "--host",
        default=listener.HOST,
        help="address to listen on; 0.0.0.0 only inside a container (%(default)s)",
    )
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps the state between runs")
    parser.add_argument("--fresh", action="store_true", help="start empty instead of with the saved state")
    parser.add_argument("--region", default=DEFAULT_REGION, help="region of unsigned requests (%(default)s)")
    return parser.parse_args(arguments)


def forget_credentials() -> None:
    """Drop the user's own AWS settings: this process must never reach a real account."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "test"  # noqa: S105 (no secret)
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def main() -> int:
    """Run the process; 1 if it cannot start or cannot save its state."""
    options = parse_arguments(sys.argv[1:])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("local_stack").setLevel(logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        chosen_trino(os.environ)
        socket = listener.bind(options.port, options.host)
    except (EngineChoiceError, listener.PortTakenError) as error:
        print(error, file=sys.stderr)
        return 1
    forget_credentials()
    # moto takes seconds to import, and reads the environment.
    from local_stack.aws import server, state

    try:
        server.serve(socket, options.state, options.region, fresh=options.fresh)
    except state.StateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
