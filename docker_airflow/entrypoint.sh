#!/bin/sh
# Runs a command of the stack. With the profile `emulated`, the settings that the service deploy wrote replace
# whatever AWS settings the container was given: nothing of the emulated stack can reach an account.
set -eu
case ",${COMPOSE_PROFILES:-}," in
  *,emulated,*)
    if [ -f /settings/env ]; then
      for name in $(env | sed -n 's/^\(AWS_[A-Z0-9_]*\)=.*/\1/p'); do
        unset "$name"
      done
      . /settings/env
      # As the browser sees it, which is not in the stack's network.
      export AWS_CONSOLE_URL="http://127.0.0.1:${LOCAL_AWS_PORT:-4566}/_local/console"
    fi
    ;;
esac
exec "$@"
