#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs on this machine what the lab and the virtual environment need from Debian.
#   lab/bootstrap.sh [environment|lab]
set -eu

# softhsm2 is the token of the tests of keys on tokens, python3-gssapi what those of enrolment by a realm need
environment=(python3 python3-venv openssh-client git make softhsm2 python3-gssapi)
lab=(podman runc netavark aardvark-dns iptables nftables debootstrap iproute2 util-linux)

case ${1:-lab} in
  environment) wanted=("${environment[@]}") ;;
  lab) wanted=("${environment[@]}" "${lab[@]}") ;;
  *) echo "bootstrap.sh: unknown set '$1'; use environment or lab" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || echo none)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} = 0 ] && exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "bootstrap.sh: run as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
  sudo=(sudo)
fi
echo "    installing from Debian: ${missing[*]}"
"${sudo[@]}" apt-get update -q -q
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -q -y --no-install-recommends "${missing[@]}" >/dev/null
