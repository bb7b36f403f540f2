#!/bin/sh
# Make an environment and install what a file of constraints pins into it. Safe to run again, and to interrupt.
#
#   VENV          where; default .venv
#   CONSTRAINTS   the file; default constraints.txt
set -eu
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"
VENV="${VENV:-.venv}"
CONSTRAINTS="${CONSTRAINTS:-constraints.txt}"
# Compiled once here, so that no first import pays for it; some shells forbid it.
unset PYTHONDONTWRITEBYTECODE

if ! "$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    for name in python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys' 2>/dev/null; then PYTHON="$name"; found=1; break; fi
    done
    [ -n "${found:-}" ] || {
        echo "make setup: Python 3.11, 3.12 or 3.13 is needed; '$PYTHON' is not. Name one: make PYTHON=python3.12" >&2
        exit 2
    }
fi

if ! "$VENV/bin/python" -c '' 2>/dev/null; then
    rm -rf "$VENV"
    if "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        "$PYTHON" -m venv "$VENV"
    elif "$PYTHON" -m pip --version >/dev/null 2>&1; then
        # Debian without python3-venv: uv can make the environment itself.
        "$PYTHON" -m pip install --quiet --target "$VENV-uv" uv
        "$VENV-uv/bin/uv" venv --quiet --seed --python "$PYTHON" "$VENV"
        rm -rf "$VENV-uv"
    else
        echo "make setup: '$PYTHON' has neither venv nor pip. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 2
    fi
fi

[ -x "$VENV/bin/uv" ] || "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --compile-bytecode \
    --constraints "$CONSTRAINTS" --editable '.[demo,celery]' --group dev
touch "$VENV/.ready"
