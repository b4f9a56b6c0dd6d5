#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Shows rollouts on the demo estate that `make demo` made: a good package goes through three rings, and a bad one, which
# installs well and then breaks its service, is stopped by the health gate in the first ring and taken back.
#   rollouts.sh INVENTORY
set -eu
inventory=$1
root=$(cd "$(dirname "$0")/.." && pwd)
secrets=$root/.lab/trust/packages
trust=$inventory/trust/packages
made=$root/build/demo
# a host takes no version below one that it had, also where this is done again
run=$(( $(date +%s) / 60 ))

bocage-package() { PYTHONPATH=$root/build/src python -m bocage_packager "$@"; }
step() { "$root/tests/timed.sh" "$@"; }
play() { ansible-playbook -i "$inventory" "$root/playbooks/$1.yml" "${@:2}"; }

# A signed package of a service, by its version and what the service runs.
package() {
  local folder=$made/demo-clock-$1
  bocage-package init "$folder" --package demo-clock --version "$1" > /dev/null
  cat > "$folder/setup.py" <<P
UNIT = """[Unit]
Description=A demonstration
[Service]
ExecStart=$2
[Install]
WantedBy=multi-user.target
"""


def install():
    write("/etc/systemd/system/demo-clock.service", UNIT)
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", "--quiet", "demo-clock"])
    run(["systemctl", "restart", "demo-clock"])


def audit():
    return "OK" if run_notfatal(["systemctl", "is-active", "demo-clock"]).strip() == "active" else "ERROR"
P
  bocage-package sign "$folder" --key "$secrets/signers/developer.key" --certificate "$trust/signers/developer.crt" \
    --passphrase-file "$secrets/passphrase" --output "$made"
}

# What the inventory would say of a rollout, for one run.
rollout() {
  local rings='[{"name": "pilots", "hosts": ["desk1"]}, {"name": "homes", "hosts": ["tele1"]}, {"name": "rest", "share_percent": 100}]'
  printf '{"package_rollouts": {"%s": {"files": ["%s"], "rings": %s, "gates": {"soak_seconds": 1}}}}' \
    "$1" "$made/demo-clock_$2_PROD.wapt" "$rings" > "$made/$1.json"
  play rollout -e "rollout=$1" -e rollout_command=start -e rollout_rounds=20 -e rollout_pause_seconds=2 -e "@$made/$1.json"
}

rm -rf "$made"
mkdir -p "$made"
step "1/6 trust in packages" ansible-playbook -i "$inventory" "$root/playbooks/package_trust.yml"
step "2/6 packages on all hosts" ansible-playbook -i "$inventory" "$root/playbooks/packages.yml"
package "$run.0-1" "/bin/sleep infinity"
package "$run.1-1" "/bin/sleep infinity"
package "$run.2-1" "/bin/false"
step "3/6 a first version is published" ansible-playbook -i "$inventory" "$root/playbooks/publish_package.yml" \
  -e "{\"publish_packages\": [{\"file\": \"$made/demo-clock_$run.0-1_PROD.wapt\"}]}"
step "4/6 three hosts have it" ansible desk1:tele1:wrs1 -i "$inventory" --become -m bocage.fleet.package -a "name=demo-clock"
export -f rollout play
export inventory root made
step "5/6 a good version goes through three rings" bash -eu -c "rollout good-$run $run.1-1"
step "6/6 a bad version ends in the first ring" bash -eu -c "rollout bad-$run $run.2-1"
play rollout -e rollout_command=status
# what only the first ring had is retired, and this can be done again
for name in good bad; do
  play rollout -e "rollout=$name-$run" -e rollout_command=end > /dev/null
done
