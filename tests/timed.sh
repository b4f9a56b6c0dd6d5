#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a command, says what it is before and how long it took after.
#   timed.sh TITLE COMMAND ...
set -eu
title=$1
shift
printf '\n==> %s\n' "$title"
start=$(date +%s)
status=0
"$@" || status=$?
printf '==> %s: %s after %s s\n' "$title" "$([ $status = 0 ] && echo done || echo "failed ($status)")" "$(( $(date +%s) - start ))"
exit $status
