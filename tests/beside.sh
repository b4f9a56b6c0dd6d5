#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a command beside another one, which waits for containers half of the time. What the first says is shown once both
# are over; it fails when one of them failed.
#   beside.sh LOG COMMAND1 COMMAND2     (each one word for the shell)
set -eu
log=$1 first=$2 second=$3
mkdir -p "$(dirname "$log")"
bash -c "$first" >"$log" 2>&1 &
running=$!
status=0
bash -c "$second" || status=$?
wait "$running" || status=$?
cat "$log"
exit "$status"
