"""Run the stand-in: ``python -m local_stack.open_meteo --port 4580 [--seed 42]``; Ctrl-C ends it."""

from __future__ import annotations

import argparse

import uvicorn

from local_stack.open_meteo.server import OpenMeteoStandIn

_LOOPBACK = "127.0.0.1"


def main() -> None:
    """Parse the arguments and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.open_meteo", description=__doc__)
    parser.add_argument("--port", type=int, default=4580, help="port (default 4580)")
    parser.add_argument(
        "--host",
        default=_LOOPBACK,
        help="address to listen on; 0.0.0.0 only inside a container (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=42, help="equal seeds give equal weather (default 42)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to wait before each answer")
    arguments = parser.parse_args()
    stand_in = OpenMeteoStandIn(seed=arguments.seed, latency=arguments.latency)
    uvicorn.run(stand_in.app(), host=arguments.host, port=arguments.port, log_level="info")


if __name__ == "__main__":
    main()
