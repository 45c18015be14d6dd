#!/bin/sh
# The contract of the official image: what is no command of the image is given to the scanner, after
# the settings of the environment.
set -e
if [ $# = 0 ]; then set -- sonar-scanner; fi
case "$1" in
  -*) set -- sonar-scanner "$@" ;;
  *) command -v "$1" >/dev/null 2>&1 || set -- sonar-scanner "$@" ;;
esac
if [ "$1" = sonar-scanner ]; then
  shift
  [ -z "$SCANNER_WORKDIR_PATH" ] || set -- "-Dsonar.working.directory=$SCANNER_WORKDIR_PATH" "$@"
  [ -z "$SONAR_PROJECT_BASE_DIR" ] || set -- "-Dsonar.projectBaseDir=$SONAR_PROJECT_BASE_DIR" "$@"
  [ -z "$SONAR_TOKEN" ] || set -- "-Dsonar.token=$SONAR_TOKEN" "$@"
  set -- sonar-scanner "$@"
fi
exec "$@"
