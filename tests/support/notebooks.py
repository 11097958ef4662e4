"""Executes a notebook of the project as a user does who opens it and runs all cells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def execute(name: str, folder: Path, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Run a notebook from its first cell to its last; returns the outputs of its cells.

    ``environment`` is added to this process's own; ``folder`` takes the executed notebook.
    """
    made = folder / f"{name}.ipynb"
    command = [sys.executable, "-m", "local_stack.notebooks", "--", sys.executable, "-m", "jupytext"]
    command += ["--to", "ipynb", "--execute", "--run-path", ".", "--output", str(made), f"{name}.py"]
    done = subprocess.run(
        command,
        env={**os.environ, "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-6000:]
    return [output for cell in json.loads(made.read_text())["cells"] for output in cell.get("outputs", [])]


def pictures(outputs: list[dict[str, Any]]) -> int:
    """How many charts the outputs show."""
    return sum("image/png" in output.get("data", {}) for output in outputs)
