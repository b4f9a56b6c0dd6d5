#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: enrolment
short_description: Sign who a host is
version_added: 0.1.0
description:
  - Signs an enrolment, the estate's word on a host's name, tenant, site and public keys, with the enrolment key of a
    named key holder, and writes it to the trust folder beside the inventory.
  - Runs beside the key, so it is delegated to the controller. Hosts never see the enrolment key.
  - A name that is enrolled keeps its keys. Other keys need O(replace=true), which signs a later generation that says
    which document it replaces.
  - A document that says all that is wanted is left as it is, to the byte.
  - A revocation and a new generation are also written to the signed C(floors.json) beside the documents, so that an
    earlier document which somebody puts back is not believed.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Also where neither the keys of the host nor those of the estate exist yet.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) enrols the host.
      - V(revoked) signs a revocation in place of its enrolment. The host is no longer believed; a later
        O(state=present) with O(replace=true) takes it back in a new generation.
    type: str
    choices: [present, revoked]
    default: present
  name:
    description: Name of the host in the inventory.
    type: str
    required: true
  tenant:
    description: Tenant of the host's site; left out for shared infrastructure.
    type: str
  site:
    description: Site of the host. Required with O(state=present).
    type: str
  host_id:
    description:
      - Identity of the host, a lower-case UUID that the host made. One is made when it is left out.
      - A name keeps its host id over all generations. With O(replace=true) another one that is given here is not
        used; write the returned RV(host_id) on the host.
    type: str
  report_key:
    description: Ed25519 public key that the host signs its reports with, 32 bytes in base64. Required with
      O(state=present) outside check mode.
    type: str
  mesh_key:
    description: WireGuard public key of the host in base64. Required with O(state=present) outside check mode.
    type: str
  validity_days:
    description: For how many days a document that is signed now counts.
    type: int
    default: 3650
  renew_within_days:
    description: A document that ends within this time, or within a third of O(validity_days) where that is less, is
      signed again.
    type: int
    default: 90
  replace:
    description: Whether a name that is enrolled with other keys, or revoked, may be enrolled in a new generation.
    type: bool
    default: false
  trust_directory:
    description: Trust folder beside the inventory, which holds C(enrolment.pub) and C(enrolments/).
    type: path
    required: true
  enrolment_key_file:
    description: Private enrolment key of the key holder, an Ed25519 key in PKCS#8 PEM that others cannot read.
    type: path
    required: true
  signer:
    description: Name of the key holder, for the result and the log of the run. The signed document does not hold it.
    type: str
seealso:
  - module: bocage.fleet.trust_root
requirements:
  - cryptography
  - securesystemslib
"""

EXAMPLES = r"""
- name: Enrol the host with the keys that it made
  bocage.fleet.enrolment:
    name: "{{ inventory_hostname }}"
    tenant: acme
    site: "{{ host_site }}"
    host_id: "{{ __host_identity.host_id }}"
    report_key: "{{ __host_identity.report_key }}"
    mesh_key: "{{ __mesh_key.public_key }}"
    trust_directory: "{{ inventory_dir }}/trust"
    enrolment_key_file: "{{ enrolment_key_file }}"
    signer: anna
  delegate_to: localhost
  register: __enrolment

- name: Take back the enrolment of a stolen laptop
  bocage.fleet.enrolment:
    state: revoked
    name: tele7
    trust_directory: "{{ inventory_dir }}/trust"
    enrolment_key_file: "{{ enrolment_key_file }}"
  delegate_to: localhost

- name: Enrol a host that was installed anew under its old name
  bocage.fleet.enrolment:
    name: gw1
    tenant: acme
    site: lyon
    report_key: "{{ __host_identity.report_key }}"
    mesh_key: "{{ __mesh_key.public_key }}"
    replace: true
    trust_directory: "{{ inventory_dir }}/trust"
    enrolment_key_file: "{{ enrolment_key_file }}"
  delegate_to: localhost
"""

RETURN = r"""
host_id:
  description: The host's identity; V(null) in check mode where the host has no keys yet.
  type: str
  returned: success
  sample: 4be0643f-1d98-573b-97cd-ca98a65347dd
generation:
  description: Generation of the document; V(null) in check mode where the host has no keys yet.
  type: int
  returned: success
  sample: 1
path:
  description: File of the document.
  type: str
  returned: success
  sample: inventories/lab/trust/enrolments/gw1.json
envelope:
  description: The signed document, a DSSE envelope, as the host keeps it; V(null) where it would be signed in check
    mode.
  type: dict
  returned: success
signer:
  description: The key holder that was named.
  type: str
  returned: success
  sample: anna
"""

from datetime import timedelta
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, fields, timestamps
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._state import enrol, trust, trust_writer
    from ansible_collections.bocage.fleet.plugins.module_utils._state import enrolment as enrolments
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "revoked"], "default": "present"},
    "name": {"type": "str", "required": True},
    "tenant": {"type": "str"},
    "site": {"type": "str"},
    "host_id": {"type": "str"},
    "report_key": {"type": "str", "no_log": False},
    "mesh_key": {"type": "str", "no_log": False},
    "validity_days": {"type": "int", "default": 3650},
    "renew_within_days": {"type": "int", "default": 90},
    "replace": {"type": "bool", "default": False},
    "trust_directory": {"type": "path", "required": True},
    "enrolment_key_file": {"type": "path", "required": True, "no_log": False},
    "signer": {"type": "str"},
}


def wanted_host(options: dict) -> enrol.Wanted | None:
    """The host to enrol, or None where it has not made its keys yet."""
    if not options["report_key"] or not options["mesh_key"]:
        return None
    enrol.read_key(options["mesh_key"], f"mesh_key of {options['name']}")
    if options["host_id"] is not None and not fields.UUID.fullmatch(options["host_id"]):
        raise BadInput(f"The host_id of {options['name']} is not a lower-case UUID.")
    if options["validity_days"] < 1 or options["renew_within_days"] < 0:
        raise BadInput("validity_days must be at least 1 and renew_within_days not negative.")
    return enrol.Wanted(
        name=options["name"],
        tenant=options["tenant"] or None,
        site=options["site"],
        host_id=options["host_id"],
        report_key=enrol.read_key(options["report_key"], f"report_key of {options['name']}"),
        mesh_key=options["mesh_key"],
        validity=timedelta(days=options["validity_days"]),
        renew_before=timedelta(days=options["renew_within_days"]),
    )


def ensure_enrolment(options: dict, check_mode: bool) -> dict:
    folder = Path(options["trust_directory"])
    key_file = Path(options["enrolment_key_file"])
    path = trust_writer.enrolment_file(folder, options["name"])
    private = trust_writer.read_private_key(key_file)
    result = {"path": str(path), "signer": options["signer"], "host_id": None, "generation": None, "envelope": None}
    if check_mode and (private is None or not (folder / trust.KEY_FILE).exists()):
        # Before the first run there is no key; what would happen is known all the same.
        return {**result, "changed": True, "diff": {"before": "", "after": f"a new enrolment of {options['name']}\n"}}
    if private is None:
        raise BadInput(f"The enrolment key {key_file} is missing; ask its key holder, or make one with trust_root.")
    if not atomic.is_private(key_file):
        raise BadInput(f"Others can read the enrolment key {key_file}; set its mode to 0600.")
    public = trust_writer.public_half(private, key_file)
    trust_writer.check_pinned(folder, public, key_file)
    held = trust_writer.read_enrolment(path, public)
    current, envelope = held or (None, None)
    now = timestamps.now()
    floors = trust_writer.read_floors(folder, public, now)
    if current is not None and options["state"] == "present":
        trust_writer.check_permitted(current, floors, path)
    if options["state"] == "revoked":
        new = enrol.plan_revocation(current, options["name"], now)
    else:
        wanted = wanted_host(options)
        if wanted is None:
            if not check_mode:
                raise BadInput(f"The host {options['name']} gave no keys; report_key and mesh_key are needed.")
            return {**result, "changed": current is None}
        new = enrol.plan_enrolment(current, wanted, now, options["replace"])
    if new is not None:
        trust_writer.check_permitted(new, floors, path)
        if new.kind == "enrolment":
            enrol.check_others(new, trust_writer.other_enrolments(folder, new.name))
            enrolments.accept(current, new)
        envelope = enrolments.sign(new, private)
    last = current if new is None else new
    # also where a run was interrupted between the two files
    following = floors.following(last, now)
    if not check_mode:
        if new is not None:
            trust_writer.write_enrolment(path, envelope)
        if following != floors:
            trust_writer.write_floors(folder, following, private)
    result |= {
        "changed": new is not None or following != floors,
        "host_id": last.host_id,
        "generation": last.generation,
        "envelope": None if check_mode and new is not None else envelope,
    }
    if result["changed"]:
        result["diff"] = {
            "before": trust_writer.describe(current) + trust_writer.describe_floor(floors, last.host_id),
            "after": trust_writer.describe(last) + trust_writer.describe_floor(following, last.host_id),
            "before_header": str(path),
            "after_header": str(path),
        }
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["site"])],
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    try:
        module.exit_json(**ensure_enrolment(module.params, module.check_mode))
    except BocageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"The enrolment of {module.params['name']} was not written: {error}.")


if __name__ == "__main__":
    main()
