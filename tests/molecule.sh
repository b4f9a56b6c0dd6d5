#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs one scenario or all of them.
#   tests/molecule.sh [SCENARIO]
set -eu
cd "$(dirname "$0")/.."
export MOLECULE_GLOB='molecule/*/molecule.yml' LC_ALL=C.UTF-8
for folder in molecule/${1:-*}/molecule.yml; do
  scenario=$(basename "$(dirname "$folder")")
  [ -e "$folder" ] || { echo "molecule.sh: no scenario '$scenario'; there are: $(ls molecule | grep -v shared | paste -sd' ')" >&2; exit 2; }
  tests/timed.sh "scenario $scenario" molecule test --scenario-name "$scenario"
done
