"""Run benchmarks one after the other, each in a process of its own.

    python -m benchmarks                   all of them (make bench)
    python -m benchmarks kpis producer     some; python -m benchmarks.bench_kpis --help for their options

Figures go to standard output, one JSON object a line. They are ratios of things measured in one run: run
them on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

BENCHMARKS = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def main() -> int:
    """Run what the command line names; 1 if any failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}")
    chosen = parser.parse_args().names or BENCHMARKS
    if unknown := sorted(set(chosen) - set(BENCHMARKS)):
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    failed = [
        name
        for name in chosen
        if subprocess.run([sys.executable, "-m", f"benchmarks.bench_{name}"]).returncode
    ]
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
