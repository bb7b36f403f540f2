#!/bin/sh
# The browser that the page's tests open: whatever Chromium is here, or Debian's.
set -eu
if command -v chromium || command -v chromium-browser || command -v google-chrome; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The page's tests need a Chromium: install one (Debian: apt-get install chromium)." >&2
    exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null
command -v chromium
