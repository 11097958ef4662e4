"""The loopback ports of the local stack, each overridable by a variable."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"


class PortError(RuntimeError):
    """Ports are taken or malformed; the message names each with its variable."""


@dataclass(frozen=True)
class Ports:
    """Where the local stack listens."""

    airflow: int
    aws: int
    weather: int

    @property
    def airflow_url(self) -> str:
        """Airflow's UI and REST API."""
        return f"http://{HOST}:{self.airflow}"

    @property
    def aws_url(self) -> str:
        """The emulated AWS."""
        return f"http://{HOST}:{self.aws}"

    @property
    def weather_url(self) -> str:
        """The stand-in for Open-Meteo."""
        return f"http://{HOST}:{self.weather}"


_VARIABLES = {
    "airflow": ("AIRFLOW_PORT", 8080, "Airflow"),
    "aws": ("LOCAL_AWS_PORT", 4566, "the emulated AWS"),
    "weather": ("WEATHER_PORT", 4580, "the weather stand-in"),
}


def read_ports(environ: Mapping[str, str] = os.environ) -> Ports:
    """The ports from the environment, or their defaults.

    Raises:
        PortError: a variable is no port number, or two name the same port.
    """
    problems = []
    ports: dict[str, int] = {}
    for field, (variable, default, _) in _VARIABLES.items():
        text = environ.get(variable) or str(default)
        if text.isdecimal() and 1 <= int(text) <= 65535:
            if int(text) in ports.values():
                problems.append(f"{variable}={text} is used for another part as well")
            ports[field] = int(text)
        else:
            problems.append(f"{variable}={text!r} is not a port number (1 to 65535)")
    if problems:
        raise PortError("\n".join(problems))
    return Ports(**ports)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def check_free(ports: Ports, *fields: str) -> None:
    """Make sure that the ports of these fields (all of them if none is named) can be listened on.

    Raises:
        PortError: naming each taken port, what it is for and the variable that moves it.
    """
    taken = []
    for field, (variable, _, purpose) in _VARIABLES.items():
        if fields and field not in fields:
            continue
        port = getattr(ports, field)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                taken.append(
                    f"Port {port}, for {purpose}, is taken by another program. "
                    f"Stop that program, or choose another port: {variable}={port + 1000} {_COMMAND}"
                )
    if taken:
        raise PortError("\n".join(taken))


_COMMAND = "./start_local_airflow.sh"
