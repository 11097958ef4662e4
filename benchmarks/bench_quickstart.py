"""The quick start: wall time by stage, and the most memory that all its processes held at once.

    python -m benchmarks.bench_quickstart [--rounds 2]

Runs ``./start_local_airflow.sh --once`` on a state folder of its own, on ports of its own; the packages and
jars are those of this checkout. The last round is the warm one that the aims are for. Memory is the
proportional set size (shared pages counted once), sampled every half second over the process tree.

One JSON object a line; aims: ``seconds`` under 150 on 2 cores, ``peak_gigabytes`` under 6.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.harness import benchmark_parser

ROOT = Path(__file__).resolve().parents[1]
AIM_SECONDS = 150
AIM_GIGABYTES = 6
PORTS = ("AIRFLOW_PORT", "LOCAL_AWS_PORT", "WEATHER_PORT")
SAMPLE_SECONDS = 0.5


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = benchmark_parser("quickstart", __doc__)
    parser.add_argument("--rounds", type=int, default=2)
    with tempfile.TemporaryDirectory(prefix="bench-quickstart-") as name:
        state = Path(name)
        for number in range(1, parser.parse_args().rounds + 1):
            peak = run_once(state)
            stages = json.loads((state / "timings.json").read_text())
            figures = {
                "benchmark": "quickstart",
                "round": number,
                "seconds": stages.pop("all"),
                "aim_seconds": AIM_SECONDS,
                "peak_gigabytes": round(peak / 2**30, 2),
                "aim_gigabytes": AIM_GIGABYTES,
                "stages": stages,
            }
            print(json.dumps(figures), flush=True)


def run_once(state: Path) -> int:
    """Run the chain once; returns the most bytes that its processes held.

    Raises:
        RuntimeError: it ended red; with the end of what it printed.
    """
    command = [str(ROOT / "start_local_airflow.sh"), "--once", "--fresh", "--state", str(state)]
    environment = {**os.environ, **{name: str(free_port()) for name in PORTS}}
    with (state / "output.txt").open("w") as output:
        process = psutil.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        peak = 0
        while process.poll() is None:
            peak = max(peak, memory_of(process))
            time.sleep(SAMPLE_SECONDS)
    if process.returncode:
        raise RuntimeError((state / "output.txt").read_text()[-3000:])
    return peak


def memory_of(process: psutil.Process) -> int:
    """Bytes held by a process and all that descend from it."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
