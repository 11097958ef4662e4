#!/usr/bin/env bash
# EMR bootstrap action, on every node: install the jobs' wheelhouse into the cluster's Python 3.11.
# Usage: bootstrap.sh s3://SCRIPTS_BUCKET/wheelhouse/HASH/
# Nothing comes from the internet, and nothing is installed whose hash is not in requirements.lock.
set -euo pipefail

wheelhouse="$1"
python=/usr/bin/python3.11
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

aws s3 cp --recursive --quiet "$wheelhouse" "$folder"
sudo "$python" -m pip --version >/dev/null 2>&1 || sudo "$python" -m ensurepip
sudo "$python" -m pip install --quiet --no-compile --no-index --find-links "$folder" --no-deps \
  --require-hashes -r "$folder/requirements.lock"
