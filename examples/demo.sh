#!/usr/bin/env bash
# examples/demo.sh BIN: scans the vulnerable app with the scanrun in folder BIN.
# Ends with 0 when the gate failed, as it should, and with another code when anything else came out.
set -euo pipefail
scanrun=${1:?usage: examples/demo.sh BIN}/scanrun
cd "$(dirname "$0")/.."
app=examples/vulnerable-app
case "$scanrun" in /*) ;; *) scanrun=$PWD/$scanrun ;; esac

# `auto` takes containers, and runs locally only a scanner whose image nobody publishes
choose_engine() {
  local code=0 told
  told=$("$scanrun" doctor "$app" --engine auto --images --quiet 2>&1) || code=$?
  case $code in
    0) engine=auto
       echo "engine: containers (one answers, and the scanners' images can be had)" ;;
    1) engine=local
       echo "engine: local (the embedded scanners, without isolation). Containers can't be used here:"
       echo "$told" ;;
    *) echo "$told" >&2
       echo "demo: scanrun doctor ended with exit code $code" >&2
       exit "$code" ;;
  esac
}

# where the lab was built, its registry stands in for the public one that has Trivy's database
if [ -f lab/work/scanrun.toml ]; then
  export SCANRUN_CONFIG=${SCANRUN_CONFIG:-$PWD/lab/work/scanrun.toml}
fi
if [ -n "${SCANRUN_ENGINE:-}" ]; then
  engine=$SCANRUN_ENGINE
  echo "engine: $engine (SCANRUN_ENGINE)"
else
  choose_engine
fi

code=0
"$scanrun" all --fail-on high --engine "$engine" "$app" || code=$?
echo
case $code in
  1) echo "demo: the gate failed (exit code 1), as it should: this application is full of holes."
     echo "      The log is $app/.scanrun/results.sarif." ;;
  0) echo "demo: the gate passed, and it should not have." >&2; exit 1 ;;
  *) echo "demo: scanrun ended with exit code $code, not with a verdict (1 was expected)." >&2; exit "$code" ;;
esac
