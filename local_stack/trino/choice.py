"""ATHENA_ENGINE: which engine answers the emulated Athena's queries."""

from __future__ import annotations

from collections.abc import Mapping

from local_stack.trino.install import FOLDER, TrinoHome

VARIABLE = "ATHENA_ENGINE"
LIGHT, TRINO = "duckdb", "trino"


class EngineChoiceError(RuntimeError):
    """The engine that was asked for cannot be had; the message says what to do."""


def chosen_trino(environ: Mapping[str, str], home: TrinoHome | None = None) -> TrinoHome | None:
    """The Trino to use, None where the light engine (``duckdb``, the default) is to answer.

    Raises:
        EngineChoiceError: there is no engine of this name, or Trino is not installed.
    """
    name = environ.get(VARIABLE) or LIGHT
    if name not in (LIGHT, TRINO):
        raise EngineChoiceError(f"{VARIABLE}={name!r} is none of the engines: {LIGHT} (the default), {TRINO}")
    if name == LIGHT:
        return None
    home = home or TrinoHome(FOLDER)
    if not home.is_complete:
        raise EngineChoiceError(
            f"{VARIABLE}={TRINO} needs Trino: python -m local_stack.trino.install puts it into {home.folder}"
        )
    return home
