#!/bin/sh
# What the official launcher starts: the same class path and the same properties.
home=/usr/share/dependency-check
# shellcheck disable=SC2086 # options are words
exec "$JAVA_HOME/bin/java" $JAVA_OPTS -classpath "$home/plugins/*:$home/lib/*" \
  -Dapp.name=dependency-check -Dapp.pid=$$ -Dapp.repo="$home/lib" -Dapp.home="$home" \
  -Dbasedir="$home" org.owasp.dependencycheck.App "$@"
