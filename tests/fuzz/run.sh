#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Feeds parsers with what a fuzzer thinks of, each for some seconds, and fails when one of them broke.
#   run.sh SECONDS [TARGET...]      without a target all of them
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$folder/../.." && pwd)
python=$root/.venv-fuzz/bin/python
seconds=$1
shift
if [ $# = 0 ]; then
  read -r -a wanted <<< "$(PYTHONPATH=$root/build/src:$folder "$python" -c 'import targets; print(*targets.TARGETS)')"
else
  wanted=("$@")
fi
broken=()
for target in "${wanted[@]}"; do
  mkdir -p "$root/build/fuzz/$target"
  log=$root/build/fuzz/$target/log
  if "$python" "$folder/fuzz.py" "$target" "$seconds" > "$log" 2>&1; then
    echo "fuzz: $target: good, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs," \
      "$(sed -n 's/^stat::peak_rss_mb: *//p' "$log") MiB"
  else
    tail -25 "$log"
    echo "fuzz: $target: NOT GOOD, see $log"
    broken+=("$target")
  fi
done
if [ ${#broken[@]} != 0 ]; then
  echo "fuzz: broken: ${broken[*]}" >&2
  exit 1
fi
