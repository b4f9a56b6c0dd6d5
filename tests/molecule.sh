#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the scenarios that are named.
#   tests/molecule.sh SCENARIO...
set -eu
cd "$(dirname "$0")/.."
export MOLECULE_GLOB='molecule/*/molecule.yml' LC_ALL=C.UTF-8
for scenario in "$@"; do
  [ -e "molecule/$scenario/molecule.yml" ] || {
    echo "molecule.sh: no scenario '$scenario'; there are: $(ls molecule | grep -v shared | paste -sd' ')" >&2
    exit 2
  }
done
for scenario in "$@"; do
  tests/timed.sh "scenario $scenario" molecule test --scenario-name "$scenario"
done
