#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_root
short_description: Take a step of the ceremony of a package repository's root
version_added: 0.1.0
description:
  - Makes the keys of holders, and the root of a package repository (The Update Framework) that names them, by a threshold
    of signatures from holders who need not meet.
  - The draft C(root-draft.json) in O(trust_directory) travels from holder to holder as a file, and each adds a signature.
    When there are enough of the holders of the root before and of the new one, it takes the place of C(root.json).
  - Each step can be taken again. A step that finds its work done changes nothing.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Needs neither keys nor passphrases.
  diff_mode:
    support: full
    details: No key and no passphrase is part of a diff or a result.
  idempotent:
    support: partial
    details: A root that is about to end is drafted anew.
options:
  step:
    description:
      - V(key) makes an Ed25519 key in O(key_file) and writes its public half to O(public_key_file). Of a token it writes
        the public half of the key that is there.
      - V(ticket_keys) writes O(ticket_keys), and no others, to O(public_key_file) - those whose downgrade tickets count, in
        PEM, as hosts get them. It warns of files that are not there yet.
      - V(draft) drafts the next root where the pinned one names other keys or ends within O(renew_days).
      - V(sign) adds the signature of the holder of O(key_file) or O(token_label). Without a draft there is nothing to do.
      - V(finish) checks the draft and puts it in the place of C(root.json). The roots before stay in C(roots), for hosts
        that slept.
    type: str
    choices: [key, ticket_keys, draft, sign, finish]
    required: true
  trust_directory:
    description: Folder with C(root.json), beside the inventory and committed with it.
    type: path
    required: true
  key_file:
    description: File of the holder's private key, encrypted PKCS#8.
    type: path
  public_key_file:
    description: File of its public half, as this module writes it or in PEM. Required with
      O(step=key), O(step=ticket_keys) and O(step=sign).
    type: path
  passphrase_file:
    description: File whose one line is the passphrase of O(key_file), or the PIN of the token; of mode 0600.
    type: path
  token_label:
    description: Label of a PKCS#11 token that holds a P-256 key, in place of O(key_file).
    type: str
  token_key_id:
    description: Number of the key on the token (CKA_ID).
    type: int
    default: 2
  token_module:
    description: Library of the token, such as C(/usr/lib/softhsm/libsofthsm2.so).
    type: path
  root_keys:
    description: Public keys of the holders of the root.
    type: list
    elements: path
    default: []
  root_threshold:
    description: How many of them must sign.
    type: int
    default: 2
  targets_keys:
    description: Public keys of those who sign the top list of targets.
    type: list
    elements: path
    default: []
  targets_threshold:
    description: How many of them must sign.
    type: int
    default: 2
  snapshot_keys:
    description: Public keys that the publisher signs snapshots with.
    type: list
    elements: path
    default: []
  timestamp_keys:
    description: Public keys that the publisher signs timestamps with.
    type: list
    elements: path
    default: []
  ticket_keys:
    description: Public keys (Ed25519) whose downgrade tickets count.
    type: list
    elements: path
    default: []
  days:
    description: Validity of the root that is drafted.
    type: int
    default: 365
  renew_days:
    description: How many days before its end a root is drafted anew.
    type: int
    default: 60
seealso:
  - module: bocage.fleet.package_authority
requirements:
  - cryptography
  - securesystemslib
  - tuf
  - python-pkcs11, for keys on tokens
"""

EXAMPLES = r"""
- name: Make my key
  bocage.fleet.package_root:
    step: key
    trust_directory: "{{ inventory_dir }}/trust/packages"
    key_file: ~/.config/bocage/root-2.key
    public_key_file: "{{ inventory_dir }}/trust/packages/keys/root-2.pub"
    passphrase_file: ~/.config/bocage/root-2.passphrase

- name: Add my signature to what I was sent
  bocage.fleet.package_root:
    step: sign
    trust_directory: "{{ inventory_dir }}/trust/packages"
    key_file: ~/.config/bocage/root-2.key
    public_key_file: "{{ inventory_dir }}/trust/packages/keys/root-2.pub"
    passphrase_file: ~/.config/bocage/root-2.passphrase

- name: Put the root in its place
  bocage.fleet.package_root:
    step: finish
    trust_directory: "{{ inventory_dir }}/trust/packages"
"""

RETURN = r"""
root:
  description: How the root or its draft stands - C(version), C(expires), C(roles) with keys added, removed and kept,
    C(signed_by), C(missing_signatures_new), C(missing_signatures_old) and C(complete). Empty where there is none.
  type: dict
  returned: success
"""

from datetime import timedelta
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._packages import (
        authority_files,
        repository_keys,
        root_ceremony,
        tokens,
        tuf_library,
    )

    MISSING_LIBRARY = tuf_library.MISSING_LIBRARY
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)


def passphrase_of(options: dict) -> bytes:
    if not options["passphrase_file"]:
        raise BadInput(f"The passphrase of {options['key_file']} is needed; name its file with passphrase_file.")
    return authority_files.read_passphrase(Path(options["passphrase_file"]))


def signer_of(options: dict, public):
    if options["token_label"]:
        token = tokens.Token(options["token_module"] or "", options["token_label"])
        return tokens.metadata_signer(token, options["token_key_id"], public, Path(options["passphrase_file"] or ""))
    return repository_keys.load_signer(Path(options["key_file"]), passphrase_of(options))


def take_step(options: dict, check_mode: bool) -> dict:
    folder, now = Path(options["trust_directory"]), timestamps.now()
    if options["step"] == "key" and options["token_label"]:
        done = root_ceremony.place_public(
            Path(options["public_key_file"]), lambda: signer_of(options, None).public_key, check_mode
        )
    elif options["step"] == "key":
        done = root_ceremony.make_key(
            Path(options["key_file"]), Path(options["public_key_file"]), lambda: passphrase_of(options), check_mode
        )
    elif options["step"] == "ticket_keys":
        done = root_ceremony.place_ticket_keys(
            [Path(one) for one in options["ticket_keys"]], Path(options["public_key_file"]), check_mode
        )
    elif options["step"] == "draft":
        names = ("root_keys", "targets_keys", "snapshot_keys", "timestamp_keys")
        root, targets, snapshot, timestamp = ([Path(one) for one in options[name]] for name in names)
        plan = root_ceremony.plan_of(
            root, options["root_threshold"], targets, options["targets_threshold"], snapshot, timestamp
        )
        days, renew = timedelta(days=options["days"]), timedelta(days=options["renew_days"])
        done = root_ceremony.draft(folder, plan, now, days, renew, check_mode)
    elif options["step"] == "sign":
        public = root_ceremony.read_public(Path(options["public_key_file"]))
        done = root_ceremony.sign(folder, lambda: signer_of(options, public), public, check_mode)
    else:
        done = root_ceremony.finish(folder, now, check_mode)
    result = {"changed": done.changed, "root": done.state, "warnings": missing_ticket_keys(options, check_mode)}
    if done.changed:
        result["diff"] = {"before": "", "after": f"{done.words}\n"}
    return result


def missing_ticket_keys(options: dict, check_mode: bool) -> list[str]:
    if options["step"] != "ticket_keys" or check_mode:
        return []
    return [
        f"Downgrade tickets of {Path(one).stem} do not count, as {one} is missing; ask its holder for it."
        for one in options["ticket_keys"]
        if not Path(one).exists()
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["key", "ticket_keys", "draft", "sign", "finish"], "required": True},
            "trust_directory": {"type": "path", "required": True},
            "key_file": {"type": "path", "no_log": False},
            "public_key_file": {"type": "path", "no_log": False},
            "passphrase_file": {"type": "path", "no_log": False},
            "token_label": {"type": "str", "no_log": False},
            "token_key_id": {"type": "int", "default": 2, "no_log": False},
            "token_module": {"type": "path", "no_log": False},
            "root_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "root_threshold": {"type": "int", "default": 2},
            "targets_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "targets_threshold": {"type": "int", "default": 2},
            "snapshot_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "timestamp_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "ticket_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "days": {"type": "int", "default": 365},
            "renew_days": {"type": "int", "default": 60},
        },
        required_if=[
            ("step", "key", ["public_key_file", "passphrase_file"]),
            ("step", "key", ["key_file", "token_label"], True),
            ("step", "ticket_keys", ["public_key_file"]),
            ("step", "sign", ["public_key_file", "passphrase_file"]),
            ("step", "sign", ["key_file", "token_label"], True),
        ],
        mutually_exclusive=[("key_file", "token_label")],
        required_by={"token_label": ["token_module"]},
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    try:
        module.exit_json(**take_step(module.params, module.check_mode))
    except BocageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"The step {module.params['step']} was not taken: {error}; take it again.")


if __name__ == "__main__":
    main()
