#!/usr/bin/env bash
# Fails unless the tag of a release still points to the commit that was tested: its approval can come days later.
# GitHub sets GITHUB_REPOSITORY, GITHUB_REF_NAME (the tag), and GITHUB_SHA (the commit).
set -euo pipefail
commit=$(gh api "repos/$GITHUB_REPOSITORY/commits/tags/$GITHUB_REF_NAME" --jq .sha)
if [ "$commit" != "$GITHUB_SHA" ]; then
  echo "::error::The tag $GITHUB_REF_NAME now points to $commit, but $GITHUB_SHA was tested. Release a new version."
  exit 1
fi
