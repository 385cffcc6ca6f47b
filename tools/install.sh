#!/bin/sh
# Install a hashed lock into an environment: install.sh ENVIRONMENT LOCK
# uv is quick; pip follows where uv cannot, for pip knows the mirrors and certificates of its own configuration.
set -u
env=$1
lock=$2
"$env/bin/uv" pip install --quiet --system-certs --compile-bytecode --python "$env/bin/python" --require-hashes -r "$lock" && exit 0
echo "uv could not install $lock; trying pip." >&2
exec "$env/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
