#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes a role that leaves a seal, to start from: docs/new-role.sh NAME
set -eu
cd "$(dirname "$0")/.."
name=${1:-}
if ! printf '%s\n' "$name" | grep -Eqx '[a-z][a-z0-9_]{1,30}'; then
  echo "new-role: '$name' cannot be the name of a role; give NAME= small letters, digits and underscores" >&2
  exit 2
fi
if [ -e "roles/$name" ]; then
  echo "new-role: there is a role roles/$name already; choose another NAME" >&2
  exit 2
fi
# whole or not at all
work=$(mktemp -d roles/.new-XXXXXX)
trap 'rm -rf "$work"' EXIT
cp -R docs/role-template/. "$work/"
find "$work" -depth -name '*NAME*' | while read -r path; do
  mv "$path" "$(dirname "$path")/$(basename "$path" | sed "s/NAME/$name/g")"
done
find "$work" -type f -exec sed -i "s/NAME/$name/g" {} +
chmod 755 "$work"
mv "$work" "roles/$name"
trap - EXIT
cat <<END
roles/$name is there. What remains, as docs/seals.md explains:
  1. say in meta/argument_specs.yml what it does, and write its tasks
  2. add '$name' to sealed_roles in playbooks/vars/roles.yml, with the variables that the plan hands to it
  3. add a play for the hosts of the group bocage_converge_$name to a file in playbooks/plays/
  4. make docs, for its README.md
  5. make test-molecule SCENARIO=seals, which breaks everything that it made
END
