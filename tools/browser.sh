#!/usr/bin/env bash
# Make sure a Chromium is there for the browser tests: the system's, else Debian's package, else playwright's own.
set -uo pipefail
cd "$(dirname "$0")/.."
for name in chromium chromium-browser google-chrome; do command -v "$name" >/dev/null && exit 0; done
ls ~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome >/dev/null 2>&1 && exit 0
echo "browser: installing Chromium" >&2
if command -v apt-get >/dev/null; then
  SUDO=$([ "$(id -u)" = 0 ] || echo sudo)
  $SUDO apt-get update -qq && DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq chromium fonts-dejavu-core >/dev/null && exit 0
fi
.venv/bin/python -m playwright install chromium >&2 && exit 0
echo "browser: no Chromium could be installed; the browser tests will fail until one is there. Run: apt-get install chromium" >&2
exit 0
