#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: trust_root
short_description: Make and pin a key that the estate signs with
version_added: 0.1.0
description:
  - Makes the Ed25519 key that enrolments, what is desired of hosts, or actions are signed with, in a file that only its
    owner can read, and writes its public half to C(enrolment.pub), C(seal.pub) or C(actions/<name>.pub) in the trust
    folder, where everything that verifies finds it.
  - A key that is pinned is never replaced by another. Whoever wants that has to move the public half away by hand. After
    that, all hosts have to be enrolled anew, or sealed anew.
  - Runs beside the key, so it is delegated to the controller of the key holder.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The private key is never part of a diff or a result.
  idempotent:
    support: full
options:
  trust_directory:
    description: Trust folder beside the inventory; made when it is missing.
    type: path
    required: true
  purpose:
    description:
      - What the key signs.
      - V(enrolment) says which public keys belong to which host.
      - V(seal) says what was desired of a host when a role converged there.
      - V(action) asks hosts to do something now. Each operator has a key of his own, with O(name).
    type: str
    choices: [enrolment, seal, action]
    default: enrolment
  name:
    description: Whose key it is, with O(purpose=action); what roles it has is said by the role C(agent).
    type: str
    default: estate
  key_file:
    description: File of the private key. It must not be in the inventory's folder, which is committed and shipped.
    type: path
    required: true
seealso:
  - module: bocage.fleet.enrolment
requirements:
  - cryptography
  - securesystemslib
"""

EXAMPLES = r"""
- name: Pin the enrolment key of the estate
  bocage.fleet.trust_root:
    trust_directory: "{{ inventory_dir }}/trust"
    key_file: "~/.config/bocage/demo/enrolment.key"
  delegate_to: localhost
  run_once: true

- name: Pin the key of seals
  bocage.fleet.trust_root:
    purpose: seal
    trust_directory: "{{ inventory_dir }}/trust"
    key_file: "~/.config/bocage/demo/seal.key"
  delegate_to: localhost
  run_once: true

- name: Pin the key with which Anna signs actions
  bocage.fleet.trust_root:
    purpose: action
    name: anna
    trust_directory: "{{ inventory_dir }}/trust"
    key_file: "~/.config/bocage/demo/actions/anna.key"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
key_id:
  description: SHA-256 of the raw public key, which signed documents name it by; V(null) in check mode where the key
    would be made.
  type: str
  returned: success
  sample: 8f5b2f0e6f0c5d0f5b0f3a7b8f5b2f0e6f0c5d0f5b0f3a7b8f5b2f0e6f0c5d0f
path:
  description: File of the pinned public key.
  type: str
  returned: success
  sample: inventories/lab/trust/enrolment.pub
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, dsse
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._state import trust, trust_writer
    from ansible_collections.bocage.fleet.plugins.module_utils._state.action import KEY_NAME
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)


def pinned_place(folder: Path, purpose: str, name: str) -> Path:
    if purpose != "action":
        return folder / f"{purpose}.pub"
    if not KEY_NAME.fullmatch(name):
        raise BadInput(f"The name {name!r} cannot be that of a key: letters, digits, dots and hyphens only.")
    return folder / trust.ACTIONS / f"{name}.pub"


def ensure_root(folder: Path, pinned_file: Path, key_file: Path, check_mode: bool) -> dict:
    if key_file.resolve().is_relative_to(folder.resolve().parent):
        raise BadInput(f"The private key {key_file} would be in the inventory's folder; keep it elsewhere.")
    private = trust_writer.read_private_key(key_file)
    pinned = trust.read_pinned_key(pinned_file) if pinned_file.exists() else None
    before, after = [], []
    if private is None and pinned is not None:
        raise BadInput(
            f"{pinned_file} pins a key whose private half is not in {key_file}; bring the key from its holder. A pinned"
            " key is not replaced."
        )
    if private is None:
        after.append(f"{key_file}: a new private key, mode 0600")
        private = dsse.generate_private_key()
        if not check_mode:
            key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.write_file(key_file, private, 0o600)
        made = True
    else:
        made = False
        if not atomic.is_private(key_file):
            before.append(f"{key_file}: readable by others")
            after.append(f"{key_file}: mode 0600")
            if not check_mode:
                key_file.chmod(0o600)
    public = trust_writer.public_half(private, key_file)
    if pinned is None:
        after.append(f"{pinned_file}: {'a new key' if made else dsse.key_id(public)}")
        if not check_mode:
            (folder / trust.ENROLMENTS).mkdir(mode=0o755, parents=True, exist_ok=True)
            pinned_file.parent.mkdir(mode=0o755, exist_ok=True)
            atomic.write_file(pinned_file, dsse.public_key_to_pem(public), 0o644)
    elif pinned != public:
        raise BadInput(f"{pinned_file} pins another key than the one in {key_file}; a pinned key is not replaced.")
    result = {
        "changed": bool(after),
        "key_id": None if made and check_mode else dsse.key_id(public),
        "path": str(pinned_file),
    }
    if after:
        result["diff"] = {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{x}\n" for x in after)}
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "trust_directory": {"type": "path", "required": True},
            "purpose": {"type": "str", "choices": ["enrolment", "seal", "action"], "default": "enrolment"},
            "name": {"type": "str", "default": "estate"},
            "key_file": {"type": "path", "required": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    options = module.params
    try:
        folder, key_file = Path(options["trust_directory"]), Path(options["key_file"])
        pinned_file = pinned_place(folder, options["purpose"], options["name"])
        module.exit_json(**ensure_root(folder, pinned_file, key_file, module.check_mode))
    except BocageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"The {options['purpose']} key was not pinned: {error}.")


if __name__ == "__main__":
    main()
