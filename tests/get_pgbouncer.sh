#!/bin/sh
# The pooler of tests/pooling.py: the one that is here, else Debian's, where this may install it.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
if command -v pgbouncer >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Debian's PgBouncer for the tests of poolers"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  if { apt-get update -qq && apt-get install -y -qq --no-install-recommends pgbouncer; } >"$log" 2>&1; then
    rm -f "$log"
    exit 0
  fi
  tail -n 3 "$log"
fi
echo "NO PGBOUNCER: the tests of poolers will be skipped. Install the package pgbouncer."
