#!/bin/sh
# Run a script with the first interpreter that obligor supports: python.sh WANTED SCRIPT [ARGUMENTS]
# WANTED is tried first, then the usual versioned names.
wanted=$1
shift
found=""
for python in "$wanted" python3.14 python3.13 python3.12 python3.11; do
    command -v "$python" >/dev/null 2>&1 || continue
    if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        exec "$python" "$@"
    fi
    found="$found $python ($("$python" --version 2>&1))"
done
echo "obligor needs Python 3.11 to 3.14." >&2
if [ -n "$found" ]; then
    echo "Found only:$found." >&2
else
    echo "Neither $wanted nor python3.11 to python3.14 is on the PATH." >&2
fi
echo "Install one, or name it: make PYTHON=/path/to/python3.12 setup" >&2
exit 1
