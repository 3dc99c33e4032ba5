#!/usr/bin/env bash
# Decides whether the job is red: on a regression alone, unless FAIL_ON names more.
# In: CODE FAIL_ON, by way of the environment.
set -uo pipefail

case "$CODE" in
  0) name=fine ;;
  1) name=failure ;;
  2) name=usage ;;
  3) name=regression ;;
  4) name=inconclusive ;;
  5) name=not-comparable ;;
  6) name=invalid ;;
  *) name=failure ;;
esac

read -r -d '' -a red <<< "${FAIL_ON//,/ }" || true
for word in "${red[@]}"; do
  case "$word" in
    regression | inconclusive | not-comparable | invalid | usage | failure) ;;
    *)
      echo "::error::fail-on: no outcome \`$word\`; there are regression, inconclusive, not-comparable, invalid, usage, failure"
      exit 2
      ;;
  esac
done
for word in "${red[@]}"; do
  if [ "$word" = "$name" ]; then
    echo "::error::the comparison ended with $CODE: $name"
    exit "$CODE"
  fi
done
[ "$CODE" = 0 ] || echo "::warning::the comparison ended with $CODE, $name: it does not say that the change is slower"
