#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the base image of the lab: a small Debian 12 with systemd, as a host
# has it after installation. Runs as root.
#   build.sh PODMAN IMAGE
set -eu

podman=$1 image=$2
here=$(dirname "$(readlink -f "$0")")
root=$(mktemp -d /var/tmp/bocage-image.XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT

packages=$(paste -sd, "$here/packages.txt")
debootstrap --variant=minbase --include="$packages" bookworm "$root" >"$root.log" 2>&1 || {
  tail -n 20 "$root.log" >&2
  echo "build.sh: debootstrap failed; its log is $root.log" >&2
  exit 1
}
rm -f "$root.log"

cp -a "$here/overlay/." "$root/"
chown -R root:root "$root"/usr/local/sbin "$root"/etc/systemd/system
# Each container makes its own identity.
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
# A plain file, so that podman can put the machine's resolver there where a container has a way out.
rm -f "$root/etc/resolv.conf"
: > "$root/etc/resolv.conf"
# Package lists stay: hosts need no refresh while the image is young.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
chroot "$root" systemctl --quiet enable lab-network.service lab-ssh-keys.service systemd-resolved.service
chroot "$root" systemctl --quiet mask getty.target console-getty.service systemd-logind.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-timesyncd.service systemd-networkd.service
tar -C "$root" -c . | "$podman" import --quiet \
  --change 'CMD=["/sbin/init"]' --change STOPSIGNAL=SIGRTMIN+3 - "$image"
