#!/bin/sh
# The contract of the official image: options are added to the server's, another command replaces it.
set -e
case "${1:--}" in
  -*) set -- java -jar lib/sonarqube.jar -Dsonar.log.console=true "$@" ;;
esac
exec "$@"
