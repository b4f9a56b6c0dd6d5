#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs all linters, says how long each took, and fails when one of them found something.
# The tools are found by PATH.
set -eu
cd "$(dirname "$0")/.."

failed=()

step() {
  local title=$1 started=$SECONDS status=0
  shift
  "$@" || status=$?
  printf 'lint: %s: %s, %s s\n' "$title" "$([ "$status" = 0 ] && echo good || echo "NOT GOOD")" "$((SECONDS - started))"
  [ "$status" = 0 ] || failed+=("$title")
}

# The type checker reads the library and the programs under the names that they are imported by.
mkdir -p build/src
ln -sfn ../../plugins/module_utils build/src/bocage_core
ln -sfn ../../apps/agent build/src/bocage_agent
ln -sfn ../../apps/packager build/src/bocage_packager
ln -sfn ../../apps/registry build/src/bocage_registry
ln -sfn ../../apps/segments build/src/bocage_segments

step "ruff check" ruff check --quiet .
step "ruff format" ruff format --quiet --check .
step "mypy" mypy --no-error-summary -p bocage_core -p bocage_agent -p bocage_packager -p bocage_registry -p bocage_segments
step "yamllint" yamllint --strict --config-file .config/yamllint.yml .
step "changelog fragments" antsibull-changelog lint
step "ansible-lint" ansible-lint --offline -q --config-file .config/ansible-lint.yml

if [ ${#failed[@]} != 0 ]; then
  (IFS=,; echo "lint: findings in: ${failed[*]}" >&2)
  exit 1
fi
