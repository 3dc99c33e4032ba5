#!/usr/bin/env bash
# Compares in GitHub Actions, and writes outputs and job summary. It exits with 0 whichever
# verdict it finds: the directory is to be kept before a later step gates on the exit code.
# In: BASE NEW ARGS DIRECTORY, by way of the environment: a branch name is text, not shell.
set -uo pipefail

# Words, not patterns: a `*` in the arguments stays one. They may stand on several lines.
read -r -d '' -a more <<< "$ARGS" || true
cargo xtask compare --merge-base "$BASE" "$NEW" --skip-unchanged --out "$DIRECTORY" "${more[@]}"
code=$?

echo "exit-code=$code" >> "$GITHUB_OUTPUT"
echo "directory=$DIRECTORY" >> "$GITHUB_OUTPUT"
if [ -f "$DIRECTORY/comparison.md" ]; then
  cat "$DIRECTORY/comparison.md" >> "$GITHUB_STEP_SUMMARY"
else
  echo "The comparison did not end (exit code $code): see the log of this step." >> "$GITHUB_STEP_SUMMARY"
fi
