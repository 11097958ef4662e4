"""The emulated AWS's state as one file: written on a clean stop, read at the next start."""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import json
import logging
import os
import platform
import threading
import time
from pathlib import Path
from typing import Any

import dill
from moto.core.base_backend import BackendDict

log = logging.getLogger(__name__)

STATE_FILE = "state.dill"

FORMAT_VERSION = 1
"""To be raised when the objects that our services keep in moto's backends change their shape."""


class StateError(RuntimeError):
    """The state could not be saved; the message names the service that cannot be written."""


class _Pickler(dill.Pickler):
    """dill, but every lock is a new one when read: dill's RLocks come back locked for ever."""

    dispatch = dill.Pickler.dispatch.copy()

    def save_lock(self, _lock: object) -> None:
        self.save_reduce(threading.Lock, ())

    def save_rlock(self, _lock: object) -> None:
        self.save_reduce(threading.RLock, ())

    dispatch[type(threading.Lock())] = save_lock
    dispatch[type(threading.RLock())] = save_rlock


def signature() -> dict[str, str | int]:
    """What must be equal for a saved state to be read again."""
    return {
        "format": FORMAT_VERSION,
        "moto": importlib.metadata.version("moto"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def save(state_dir: Path) -> Path:
    """Write every backend in use to ``state_dir``; a crash meanwhile leaves the previous file.

    Raises:
        StateError: a service holds something that cannot be written.
    """
    path = state_dir / STATE_FILE
    unfinished = path.with_suffix(".unfinished")
    accounts = [_describe(backends) for backends in list(BackendDict._instances)]
    try:
        with unfinished.open("wb") as stream:
            stream.write(json.dumps(signature()).encode() + b"\n")
            # One pickle for all: stacks refer to the resources of other services.
            _Pickler(stream, protocol=5).dump(accounts)
            stream.flush()
            os.fsync(stream.fileno())
    except Exception as error:
        unfinished.unlink(missing_ok=True)
        culprits = ", ".join(name for name in map(_unwritable, accounts) if name) or "unknown"
        raise StateError(f"The state was not saved, because of {culprits}: {error!r}") from error
    unfinished.replace(path)
    return path


def load(state_dir: Path) -> bool:
    """Bring back what ``save`` wrote; False if there was nothing, or nothing usable.

    A file of another moto or format, or a damaged one, is set aside beside it with a warning.
    """
    path = state_dir / STATE_FILE
    if not path.exists():
        return False
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.readline())
            if found != signature():
                _set_aside(path, f"it was written by {found}, this is {signature()}")
                return False
            accounts = dill.load(stream)  # noqa: S301 (our own file)
    except Exception as error:  # a damaged pickle can raise anything
        _set_aside(path, f"it cannot be read: {error!r}")
        return False
    for saved in accounts:
        _restore(saved)
    return True


def _describe(backends: BackendDict[Any]) -> dict[str, Any]:
    return {
        "module": backends.backend.__module__,
        "service": backends.service_name,
        "accounts": dict(backends),
        # S3 also keeps who owns which bucket name.
        "bucket_accounts": getattr(backends, "bucket_accounts", None),
    }


def _restore(saved: dict[str, Any]) -> None:
    module = importlib.import_module(saved["module"])
    for backends in vars(module).values():
        if isinstance(backends, BackendDict) and backends.service_name == saved["service"]:
            for account_id, account in saved["accounts"].items():
                _ = backends[account_id]  # registers the backend, so that the next save finds it
                backends[account_id] = account
            if saved["bucket_accounts"] is not None:
                backends.bucket_accounts.update(saved["bucket_accounts"])


def _unwritable(saved: dict[str, Any]) -> str | None:
    try:
        _Pickler(io.BytesIO(), protocol=5).dump(saved)
    except Exception:
        return str(saved["service"])
    return None


def _set_aside(path: Path, reason: str) -> None:
    aside = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}")
    path.replace(aside)
    log.warning("The saved state is set aside, as %s: %s", aside, reason)
