#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs groups of benchmarks, each of which prints its figures as JSON lines.
#   run.sh [GROUP]      ARGS in the environment goes to each of them
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$folder/../.." && pwd)
groups=(converge mesh packages state)

if [ $# -gt 1 ]; then
  echo "run.sh: name one group or none, as in: make bench BENCH=mesh" >&2
  exit 2
fi
wanted=("${1:-}")
if [ -z "${wanted[0]}" ]; then
  wanted=("${groups[@]}")
  # then the long ones do not run
  export BOCAGE_BENCH_GROUPS=all
elif [[ " ${groups[*]} " != *" $1 "* ]]; then
  echo "run.sh: there is no group '$1'; the groups are ${groups[*]}" >&2
  exit 2
fi

PATH=$root/.venv/bin:$PATH
export PATH
read -r -a arguments <<< "${ARGS:-}"
status=0
for group in "${wanted[@]}"; do
  if [ ! -e "$folder/$group.py" ]; then
    echo "run.sh: the group $group has no file tests/bench/$group.py" >&2
    status=1
    continue
  fi
  echo "==> figures of $group" >&2
  # the others still run; what failed is told at the end
  python "$folder/$group.py" "${arguments[@]}" || { echo "run.sh: the group $group failed" >&2; status=1; }
done
exit $status
