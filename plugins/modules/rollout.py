#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Take the next step of rollouts of packages, by what hosts reported
version_added: 0.1.0
description:
  - A rollout brings packages to the hosts of one ring after the other. Which versions hosts have before and after stands
    in a document of the repository, signed as everything there, so that every host of a ring gets the same.
  - Each run looks at what hosts reported (the variable C(reported) of the inventory), and decides - the next ring is opened
    when the ones before meet the gates, the rollout is stopped or rolled back when a gate fails, or nothing changes.
  - Writes the documents that are to be published, and says which hosts can be asked to upgrade and to audit now. Hosts do
    the same by themselves at their next look for packages. Publish with M(bocage.fleet.package_change), ask with
    M(bocage.fleet.signed_action); C(playbooks/rollout.yml) does all of it.
  - State is kept in the document alone. Any controller with the inventory and the keys can take the next step, and a run
    that was cut off is finished by the next one.
  - Runs on the controller alone, once for all hosts, and judges all managed hosts whatever the limit of the run.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Decides the same; what is written lies in O(output_directory) alone.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: The same reports give the same decision; time passes.
options:
  command:
    description:
      - V(start) begins a rollout of packages that are published with it. One that is under way goes on.
      - V(step) takes the next step of O(name), or of all.
      - V(pause), V(resume), V(abort) and V(roll_back) are a person's decisions. After V(abort) hosts keep what they have.
      - V(end) removes a rollout that is over. Packages that it did not bring to all hosts are retired with it.
    type: str
    choices: [start, step, end, pause, resume, abort, roll_back]
    default: step
  name:
    description: Name of the rollout. Required but for O(command=step).
    type: str
  definition:
    description:
      - What is rolled out, with O(command=start). C(files) are signed packages that are not published yet, C(packages)
        requests such as C(editor) where not just these are meant.
      - C(rings) is a list of C(name) with C(hosts), C(groups) or C(share_percent); hosts and groups come before shares.
      - C(gates) are C(failed_percent) (0), C(soak_seconds) (3600), C(sample_percent) (90), C(sample_hosts) (1),
        C(silence_seconds) (86400), C(audits) (true), and C(metrics), a list of C(name) (the way in a report, such as
        C(system.boot.userspace_milliseconds)) with C(most_ratio), C(least_ratio) or both, in times of the median of hosts
        that are not changed yet.
      - C(windows) are times by site, lists of C(days), C(from) and C(until) in UTC.
      - C(error_budget_hosts) ends it when more hosts failed in all rings together, C(roll_back) (true) takes the change
        back then, and C(valid_days) (30) is its end.
    type: dict
    default: {}
  exported:
    description: File that C(bocage-package export) wrote on the publisher.
    type: path
    required: true
  trust_directory:
    description: Folder with C(root.json).
    type: path
    required: true
  output_directory:
    description: Folder for documents that are to be published.
    type: path
    required: true
  ticket_key_file:
    description: Key that signs the downgrade tickets of the way back, made by M(bocage.fleet.package_root).
    type: path
  passphrase_file:
    description: File whose one line is the passphrase of this key, of mode 0600.
    type: path
  reason:
    description: Why a person decided so; it is kept in the history.
    type: str
    default: by hand
  keep_packages:
    description: Whether O(command=end) leaves packages in the repository that did not come to all hosts.
    type: bool
    default: false
seealso:
  - module: bocage.fleet.rollout_info
  - module: bocage.fleet.package_change
  - module: bocage.fleet.signed_action
requirements:
  - cryptography
  - securesystemslib
  - tuf
"""

EXAMPLES = r"""
- name: Begin with the pilots
  bocage.fleet.rollout:
    command: start
    name: editor-2
    definition:
      files: [editor_2.0-1_PROD.wapt]
      rings:
        - {name: pilots, hosts: [desk1, desk2]}
        - {name: tenth, share_percent: 10}
        - {name: rest, share_percent: 90}
      gates: {soak_seconds: 86400}
    exported: /run/user/1000/exported.tar
    output_directory: /run/user/1000/rollouts
    trust_directory: "{{ inventory_dir }}/trust/packages"
    ticket_key_file: ~/.config/bocage/packages/downgrades.key
    passphrase_file: ~/.config/bocage/packages.passphrase
"""

RETURN = r"""
files:
  description: Documents to be published, as M(bocage.fleet.package_change) takes them.
  type: list
  elements: dict
  returned: success
  sample: [{path: rollouts/editor-2.json, file: /run/user/1000/rollouts/editor-2.json}]
packages:
  description: Packages to be published with them.
  type: list
  elements: dict
  returned: success
retired:
  description: Targets to be retired.
  type: list
  elements: str
  returned: success
upgrade:
  description: Hosts that may take the change now, or have to take it back.
  type: list
  elements: str
  returned: success
audit:
  description: Hosts that have it and should say whether it is well.
  type: list
  elements: str
  returned: success
rollouts:
  description: How each stands, as M(bocage.fleet.rollout_info) says it.
  type: dict
  returned: success
active:
  description: Names of those that are under way.
  type: list
  elements: str
  returned: success
"""
