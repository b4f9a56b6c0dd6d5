#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Generates the reference and the tables in the roles' README.md, after antsibull-docs found their sources sound.
#   docs/build.sh [--check]      with --check nothing is written; it fails where something is stale
# The tools are found by PATH.
set -eu
cd "$(dirname "$0")/.."

# Ansible insists on a locale with UTF-8
export LC_ALL=C.UTF-8
if [ "${1:-}" != --check ]; then
  echo "docs: checking the documentation of plugins and roles"
  antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
fi
echo "docs: the roles' tables of variables"
python3 docs/roles.py "$@"
echo "docs: the reference"
python3 docs/reference.py "$@"
