#!/usr/bin/env bash
# examples/demo.sh BIN [quartet]: scans the vulnerable app with the scanrun in folder BIN. `quartet`
# starts the app as well, and scans it while it runs beside what reads its files: this needs the lab.
# Ends with 0 when the gate failed, as it should, and with another code when anything else came out.
set -euo pipefail
bin=${1:?usage: examples/demo.sh BIN [quartet]}
what=${2:-demo}
cd "$(dirname "$0")/.."
app=examples/vulnerable-app
case "$bin" in /*) ;; *) bin=$PWD/$bin ;; esac
lab=$PWD/lab/work
options=()
expected=() # scanners without whose findings nothing is shown

# `auto` takes containers, and runs locally only a scanner whose image nobody publishes
choose_engine() {
  local code=0 told
  told=$("$bin/scanrun" doctor "$app" --engine auto --images --quiet 2>&1) || code=$?
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

prepare_demo() {
  # where the lab was built, it stands in for what the public registries and the NVD have
  if [ -f "$lab/scanrun.toml" ]; then
    export SCANRUN_CONFIG=${SCANRUN_CONFIG:-$lab/scanrun.toml}
  fi
  if [ -z "${SCANRUN_CONFIG:-}" ]; then
    echo "without dependency-check: its first download of the NVD takes an hour or more"
    options+=(--skip dependency-check)
  fi
  if [ -n "${SCANRUN_ENGINE:-}" ]; then
    engine=$SCANRUN_ENGINE
    echo "engine: $engine (SCANRUN_ENGINE)"
  else
    choose_engine
  fi
  options+=(--engine "$engine")
}

prepare_quartet() {
  expected=(sonar dependency-check trivy zap wapiti)
  local config=${SCANRUN_CONFIG:-$lab/scanrun.toml}
  if [ ! -f "$config" ]; then
    echo "quartet: no $config: run \`make lab\`" >&2
    exit 2
  fi
  merged=$(mktemp "${TMPDIR:-/tmp}/scanrun-quartet.XXXXXX")
  trap 'rm -f "$merged"' EXIT
  cat "$config" examples/quartet.toml >"$merged"
  export SCANRUN_CONFIG=$merged
  options+=(--engine docker --sonar ephemeral)
}

case $what in
  demo | quartet) "prepare_$what" ;;
  *) echo "demo: demo or quartet, not $what" >&2; exit 2 ;;
esac
code=0
"$bin/scanrun" all --fail-on high "${options[@]}" "$app" || code=$?
echo
case $code in
  1) ;;
  0) echo "$what: the gate passed, and it should not have." >&2; exit 1 ;;
  *) echo "$what: scanrun ended with exit code $code, not with a verdict (1 was expected)." >&2
     exit "$code" ;;
esac
if [ ${#expected[@]} -gt 0 ]; then
  "$bin/python" examples/came_out.py "$app/.scanrun/verdict.json" "${expected[@]}"
fi
echo "$what: the gate failed (exit code 1), as it should: this application is full of holes."
echo "      The log is $app/.scanrun/results.sarif."
