#!/usr/bin/env bash
# Prints the entry of one version in CHANGELOG.md: release-notes.sh 1.2.3. Fails if there is none.
set -euo pipefail
notes=$(awk -v version="$1" '
  /^## / || /^\[[^]]+\]: / { inside = index($0, "## [" version "]") == 1; next }
  inside { print }
' "$(dirname "$0")/../CHANGELOG.md")
if [ -z "${notes//[[:space:]]/}" ]; then
  echo "CHANGELOG.md has no entry for $1." >&2
  exit 1
fi
printf '%s\n' "$notes"
