#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_repository
short_description: Publish, copy and keep fresh a repository of signed packages, on the host that serves it
version_added: 0.1.0
description:
  - Runs on the publisher, or on a cache that holds a copy, with the programs that the role C(package_repository) puts there.
  - No list of packages is signed here. M(bocage.fleet.package_change) does that beside the keys of their holders, of what
    O(command=export) gave, and O(command=publish) takes the change in. To begin a repository, to retire packages and to
    delegate anew are such changes, too.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details:
      - Signs and publishes nothing; a change is checked as if it were taken in.
      - A copy is compared by the version of its timestamp; one that lacks a file of what it serves is mended by a real run.
  diff_mode:
    support: full
    details: Steps in words.
  idempotent:
    support: full
    details: A change that was taken in, and nothing after it, is taken in again without an effect.
options:
  command:
    description:
      - V(keys) makes the keys of snapshot and timestamp where they are missing, and removes those of former generations
        once the root that is served names the new ones alone.
      - V(export) writes the metadata that is served into O(output), for M(bocage.fleet.package_change). A change that was
        interrupted is carried out before, unless O(finish) is false, since no other can be made until it is served.
      - V(publish) takes in O(change); the first one begins the repository.
      - V(init) does that only where there is no repository yet.
      - V(replicate) brings a copy up to date from the first of O(upstream) that is good.
      - V(refresh) signs snapshot and timestamp again where they are about to end, and finishes what was interrupted.
        It fails where something ended without which hosts take nothing new, and warns days before, also of certificates.
    type: str
    choices: [keys, export, publish, init, replicate, refresh]
    required: true
  directory:
    description: Folder of the repository.
    type: path
    default: /srv/bocage/packages
  keys_directory:
    description: Folder with the keys of snapshot and timestamp.
    type: path
    default: /etc/bocage/package-repository
  keys_generation:
    description: >-
      Which keys O(command=keys) makes. A higher number makes new ones beside the old ones; all of them sign until the next root
      is served.
    type: int
    default: 1
  root_first:
    description: >-
      Whether O(command=publish) takes in a new root without the keys of the one before, as where they are lost. Readers that
      have the former root then wait until all of the change is served.
    type: bool
    default: false
  change:
    description: File that M(bocage.fleet.package_change) wrote, on this host.
    type: path
  output:
    description: File for what is exported, on this host.
    type: path
  finish:
    description: Whether O(command=export) carries out a change that was interrupted; never in check mode.
    type: bool
    default: true
  upstream:
    description: URLs, or folders that are served, to copy from; the best one first.
    type: list
    elements: str
    default: []
  root:
    description: The pinned root, by which a copy is verified.
    type: path
    default: /etc/bocage/package-repository/root.json
  snapshot_days:
    description: Validity of a snapshot.
    type: int
    default: 7
  timestamp_hours:
    description: Validity of a timestamp.
    type: int
    default: 24
  user:
    description: User to whom the folder of the repository belongs, and as whom root works in it.
    type: str
    default: bocage-packages
seealso:
  - module: bocage.fleet.package_change
"""

EXAMPLES = r"""
- name: Read what is served
  bocage.fleet.package_repository:
    command: export
    output: /run/exported.tar
  register: __exported

- name: Take in what was signed
  bocage.fleet.package_repository:
    command: publish
    change: /run/signed.change

- name: See what has to be signed soon
  bocage.fleet.package_repository:
    command: refresh
  check_mode: true
"""

RETURN = r"""
steps:
  description: What was done, or would be, in words.
  type: list
  elements: str
  returned: success
  sample: ["take in 1 files", "serve the list base that was signed"]
exists:
  description: Whether there is a repository.
  type: bool
  returned: with O(command=export)
finished:
  description: Whether a change that was interrupted was carried out before.
  type: bool
  returned: with O(command=export)
new:
  description: Whether the change begins a repository.
  type: bool
  returned: with O(command=publish) or O(command=init)
public:
  description: Public keys by role, as TUF writes them.
  type: dict
  returned: with O(command=keys)
source:
  description: From where it was copied.
  type: str
  returned: with O(command=replicate)
failures:
  description: Why sources before it were passed over.
  type: list
  elements: str
  returned: with O(command=replicate)
expiries:
  description: All that ends, the most urgent first, also where there is much time left.
  type: list
  elements: dict
  returned: with O(command=refresh)
  contains:
    role:
      description: Role of metadata, path of a list of revoked certificates, or whose certificate it is.
      type: str
    kind:
      description: V(metadata), V(crl), V(certificate), or V(unreadable) for a file that no host can use.
      type: str
    version:
      description: Version of metadata, and 0 of all else.
      type: int
    expires:
      description: When it ends.
      type: str
    seconds_left:
      description: Seconds until then, negative where it ended.
      type: int
    state:
      description: V(good), V(renew) (sign at the next occasion), V(alert) (sign now) or V(expired).
      type: str
    signed_by:
      description: V(publisher), which does it by itself, or V(holders) of keys.
      type: str
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError, opening
from ansible_collections.bocage.fleet.plugins.module_utils._packages import publisher_calls
from ansible_collections.bocage.fleet.plugins.module_utils._packages import repository_layout as layout

# What a repository that was begun serves.
SERVED = "public/metadata/timestamp.json"
RETURNED = ("exists", "new", "public", "source", "failures", "expiries")


def ask(module: AnsibleModule, plan: bool, **other: str) -> dict:
    words = publisher_calls.words({**module.params, **other}, plan=plan, administrator=os.geteuid() == 0)
    publisher_calls.check(there=os.access(publisher_calls.PROGRAM, os.X_OK))
    return publisher_calls.read(*module.run_command(words))


def finish(module: AnsibleModule) -> bool:
    """Carry out a change that was interrupted, where there is one; what ends soon is not what was asked for."""
    if not module.params["finish"] or not Path(module.params["directory"], layout.PENDING).exists():
        return False
    return bool(ask(module, False, command="refresh").get("finished"))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "command": {
                "type": "str",
                "choices": ["keys", "export", "publish", "init", "replicate", "refresh"],
                "required": True,
            },
            "directory": {"type": "path", "default": "/srv/bocage/packages"},
            "keys_directory": {"type": "path", "default": "/etc/bocage/package-repository", "no_log": False},
            "keys_generation": {"type": "int", "default": 1, "no_log": False},
            "root_first": {"type": "bool", "default": False},
            "change": {"type": "path"},
            "output": {"type": "path"},
            "finish": {"type": "bool", "default": True},
            "upstream": {"type": "list", "elements": "str", "default": []},
            "root": {"type": "path", "default": "/etc/bocage/package-repository/root.json"},
            "snapshot_days": {"type": "int", "default": 7},
            "timestamp_hours": {"type": "int", "default": 24},
            "user": {"type": "str", "default": "bocage-packages"},
        },
        supports_check_mode=True,
    )
    command = module.params["command"]
    try:
        if command == "init" and (Path(module.params["directory"]) / SERVED).exists():
            module.exit_json(changed=False, steps=[], new=False)
        finished = command == "export" and not module.check_mode and finish(module)
        document = ask(module, module.check_mode)
    except BocageError as error:
        module.fail_json(msg=str(error))
    steps = ["finish a change that was interrupted"] if finished else []
    steps += publisher_calls.steps(command, document)
    result = {name: document[name] for name in RETURNED if name in document}
    if command == "export":
        result["finished"] = finished
    result.update(
        changed=finished or bool(document["changed"]),
        steps=steps,
        diff={"before": "", "after": "".join(f"{step}\n" for step in steps)},
    )
    over, soon = publisher_calls.ending(document)
    if over:
        module.fail_json(msg=f"Hosts take nothing new from here: {'; '.join(over)}.", **result)
    for sentence in soon:
        module.warn(f"{opening(sentence)}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
