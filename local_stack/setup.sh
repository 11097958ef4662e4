#!/usr/bin/env bash
# Brings .venv to what requirements.lock says, once per lock: a second call takes milliseconds.
# Usage: local_stack/setup.sh   (from anywhere; needs Python 3.11 or 3.12)
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
      >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.11 or 3.12 with venv is needed and none was found on PATH." >&2
  echo "Install one (Debian: apt install python3.11-venv) or name it: PYTHON=/path/to/python3.11 $0" >&2
  exit 1
}

stamp=".venv/.requirements.sha256"
wanted="$(sha256sum requirements.lock | cut -d' ' -f1)"
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
  [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
  echo "Installing the locked packages into .venv (about a minute the first time) ..."
  # uv installs the lock in a third of pip's time; it is itself pinned in the lock.
  awk '/^uv==/ {found = 1} found {print; if (!/\\$/) exit}' requirements.lock >.venv/uv.requirements
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
    -r .venv/uv.requirements
  .venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python requirements.lock
  # The checkout's packages (config, kinesis, ...) and the DAGs' helpers, which Airflow's triggerer and
  # emr_boto_helper.py need too, are importable from anywhere in this environment.
  .venv/bin/python -c 'import pathlib, sys, sysconfig
lines = "".join(f"{sys.argv[1]}{folder}\n" for folder in ("", "/airflow/dags"))
pathlib.Path(sysconfig.get_path("purelib"), "lakehouse.pth").write_text(lines)' "$root"
  echo "$wanted" >"$stamp"
fi
