#!/bin/sh
# Runs a part of the Procfile by its name (web, worker, bot, flower), or any other command.
set -eu
part=$(sed -n "s/^${1:-web}: *//p" Procfile)
[ -z "$part" ] || exec /bin/sh -c "$part"
exec "$@"
