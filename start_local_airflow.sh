#!/usr/bin/env bash
# The whole platform on this machine, no AWS account needed. --help explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
local_stack/setup.sh
exec .venv/bin/python -m local_stack.quickstart "$@"
