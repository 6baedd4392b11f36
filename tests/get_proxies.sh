#!/bin/sh
# The proxies of tests/security/test_behind_a_proxy.py: those that are here, else Debian's, where this may install them.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
if command -v nginx >/dev/null 2>&1 && command -v caddy >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Debian's nginx and Caddy for the tests of deploy/"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # No service of theirs is started: the tests run them by themselves.
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes; fi
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx caddy; } >"$log" 2>&1
  got=$?
  if [ -n "$made" ]; then rm -f "$policy"; fi
  if [ "$got" = 0 ]; then rm -f "$log"; exit 0; fi
  tail -n 3 "$log"
fi
echo "NO NGINX OR NO CADDY: the tests of deploy/ will be skipped. Install the packages nginx and caddy."
