"""The socket of the emulated AWS. Without moto, so that a taken port is told at once."""

from __future__ import annotations

import errno
import socket

HOST = "127.0.0.1"
PORT_VARIABLE = "LOCAL_AWS_PORT"
BACKLOG = 512


class PortTakenError(RuntimeError):
    """Another process listens on the port; the message says what to do."""


def bind(port: int, host: str = HOST) -> socket.socket:
    """Listen on an address, by default loopback; port 0 lets the system choose.

    Connections wait until somebody serves.

    Raises:
        PortTakenError: the port is in use or reserved.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise PortTakenError(
            f"The emulated AWS cannot listen on port {port}: {error.strerror}. Stop the program that "
            f"uses it, or choose another port with {PORT_VARIABLE}."
        ) from error
    return listener
