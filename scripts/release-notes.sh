#!/usr/bin/env bash
# Prints the part of CHANGELOG.md that is about one version: release-notes.sh 1.2.3. Fails where there is none.
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
