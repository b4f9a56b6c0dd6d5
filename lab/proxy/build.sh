#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the image of the caching proxy for Debian packages.
#   build.sh PODMAN BASE_IMAGE IMAGE
set -eu

podman=$1 base=$2 image=$3
name=bocage-proxy-build
"$podman" rm --force --time 0 "$name" >/dev/null 2>&1 || true
"$podman" run --detach --name "$name" --privileged --systemd=always --network podman "$base" >/dev/null
trap '"$podman" rm --force --time 0 "$name" >/dev/null' EXIT
"$podman" exec "$name" sh -euc '
  for try in 1 2 3 4 5 6 7 8 9 10; do [ -S /run/systemd/private ] && break; sleep 1; done
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y apt-cacher-ng >/dev/null 2>&1
  rm -rf /var/cache/apt/archives/*.deb
  sed -i "s/^# *PassThroughPattern:.*/PassThroughPattern: ^.*:443\$/" /etc/apt-cacher-ng/acng.conf
  # the cache is a volume whose first owner is root
  mkdir -p /etc/systemd/system/apt-cacher-ng.service.d
  printf "[Service]\nExecStartPre=+/bin/chown apt-cacher-ng: /var/cache/apt-cacher-ng\n" > /etc/systemd/system/apt-cacher-ng.service.d/lab.conf
  systemctl --quiet enable apt-cacher-ng
'
"$podman" commit --quiet "$name" "$image" >/dev/null
