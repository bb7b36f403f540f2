#!/bin/sh
# Make .venv and install everything pinned in constraints.txt into it. Safe to run again, and to interrupt.
set -eu
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"
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

if ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    if "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        "$PYTHON" -m venv .venv
    elif "$PYTHON" -m pip --version >/dev/null 2>&1; then
        # Debian without python3-venv: uv can make the environment itself.
        "$PYTHON" -m pip install --quiet --target .venv-uv uv
        .venv-uv/bin/uv venv --quiet --seed --python "$PYTHON" .venv
        rm -rf .venv-uv
    else
        echo "make setup: '$PYTHON' has neither venv nor pip. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 2
    fi
fi

[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
.venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode \
    --constraints constraints.txt --editable '.[demo,celery]' --group dev
touch .venv/.ready
