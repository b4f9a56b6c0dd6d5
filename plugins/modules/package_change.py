#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_change
short_description: Make and sign a change of a package repository, for its publisher to take in
version_added: 0.1.0
description:
  - Runs beside the keys that sign lists of packages, and never on the publisher. Reads the metadata that the publisher
    exported, believes of it only what the pinned root vouches for, and writes one file with new signed lists and the
    files that they name.
  - Without O(exported) the change begins a repository. With it, delegations that are others than those declared are
    brought to them, or else packages are listed and retired. What is listed already changes nothing.
  - Lists of the same signers that end within two weeks are signed anew with them. Those of them that need signatures of
    others do not hold up the rest; a change of their own brings them.
  - Where lists need keys of several machines, the change lacks signatures, see RV(missing_signatures). It waits in
    O(unfinished) for the next holder, who adds one with C(bocage-package sign-change), and O(signed) takes it in.
  - Each package is judged first as hosts judge it, under the authorities and lists of revoked certificates in
    O(trust_directory). One that they would refuse is refused with their reason, and so is one whose version is listed
    already with other bytes.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Signs, and writes nothing.
  diff_mode:
    support: full
    details: No key and no passphrase is part of a diff or a result.
  idempotent:
    support: full
options:
  output:
    description: File for the change, which C(bocage-package commit) takes in. Not written where there is nothing to do.
    type: path
    required: true
  unfinished:
    description:
      - File for a change that lacks signatures, in place of O(output). With it, lists that none of the keys here can sign
        may be a part of the change.
      - A change that waits there is never written over as long as it can be taken in. One that would do the same is left
        to its holders; any other fails until it was taken in or removed.
    type: path
  signed:
    description: >-
      A change that other holders completed, to be written to O(output) before anything else is looked at. Where it was taken
      in already, the other options count.
    type: path
  relative_to:
    description: >-
      Folder of which relative paths in O(packages), O(files), O(signed) and O(unfinished) are, in place of the module's own,
      which a playbook's caller seldom knows.
    type: path
  exported:
    description: File that C(bocage-package export) wrote on the publisher; left out where there is no repository yet.
    type: path
  trust_directory:
    description: >-
      Folder with C(root.json), in C(roots) each root there was and which of them was seen served, in C(keys) the public keys
      of holders by name, C(authorities.pem), and in C(crl) the lists of revoked certificates. Holders of the top list are
      those that the roots name.
    type: path
    required: true
  secret_directory:
    description: Folder with private keys of holders by name. Those that are not here cannot sign.
    type: path
    required: true
  passphrase_file:
    description: File whose one line is the passphrase of these keys.
    type: path
    required: true
  tokens:
    description:
      - Keys on PKCS#11 tokens, by the names of their holders, each as a URI with the number of the key (RFC 7512), such as
        V(pkcs11:token=estate;id=%02?module-path=/usr/lib/softhsm/libsofthsm2.so).
      - A holder with a token needs no file in O(secret_directory).
    type: dict
    default: {}
  token_pin_file:
    description: File whose one line is the PIN of these tokens, of mode 0600.
    type: path
  root_first:
    description: >-
      Whether the next root is taken without the keys of the one that is served, as where these are lost. Readers that have
      the former root then wait until all of it is served. O(bocage.fleet.package_repository#module:root_first) takes it in.
    type: bool
    default: false
  delegations:
    description: Names of delegations, each with a key of that name (base, deployers, crl, masters, rollouts, host-SITE).
    type: list
    elements: str
    default: [base, deployers, crl, rollouts]
  packages:
    description: Signed packages to publish.
    type: list
    elements: dict
    default: []
    suboptions:
      file:
        description: The C(.wapt) file, with the name that its control file gives it.
        type: path
        required: true
      site:
        description: Site of the host, for the package of a host.
        type: str
        default: ""
  files:
    description: Other targets to publish, such as lists of revoked certificates and rollouts.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Its path in the repository, such as C(crl/authority.crl).
        type: str
        required: true
      file:
        description: The file.
        type: path
        required: true
  retired:
    description: Paths of targets that are listed no longer.
    type: list
    elements: str
    default: []
seealso:
  - module: bocage.fleet.package_root
requirements:
  - cryptography
  - securesystemslib
  - tuf
  - python-pkcs11 (for keys on tokens)
"""

EXAMPLES = r"""
- name: Publish an editor
  bocage.fleet.package_change:
    exported: /run/user/1000/exported.tar
    output: /run/user/1000/editor.change
    trust_directory: "{{ inventory_dir }}/trust/packages"
    secret_directory: ~/.config/bocage/packages
    passphrase_file: ~/.config/bocage/packages.passphrase
    packages:
      - file: editor_2.0-1_PROD.wapt
"""

RETURN = r"""
steps:
  description: What the change does, in words.
  type: list
  elements: str
  returned: success
  sample: ["publish base/editor_2.0-1_PROD.wapt"]
again:
  description: >-
    Whether this change has to be taken in before others can be made, as it begins or delegates, was completed by others, or
    leaves lists that end soon to another change.
  type: bool
  returned: success
later:
  description: Lists that end soon and that another change has to bring, as more holders sign them than this one.
  type: list
  elements: str
  returned: success
  sample: ["targets"]
lists:
  description: Lists that it brings.
  type: list
  elements: str
  returned: success
  sample: ["base"]
bytes:
  description: Size of the files that it brings.
  type: int
  returned: changed
missing_signatures:
  description: How many signatures the change still lacks, by role; empty for one that can be taken in.
  type: dict
  returned: success
  sample: {"targets": 1}
written:
  description: Where the change is, or would be in check mode.
  type: str
  returned: success
next_step:
  description: What has to be done with a change that lacks signatures, and where it is.
  type: str
  returned: success
"""

import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, timestamps
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._packages import (
        change_archive,
        change_plan,
        change_signatures,
        change_waiting,
        estate_roots,
        publishable,
        repository_keys,
        repository_roles,
        tokens,
    )

    MISSING_LIBRARY = repository_keys.MISSING_LIBRARY
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)


def read(path: Path, maximum: int, what: str) -> bytes:
    try:
        return atomic.read_bounded(path, maximum)
    except OSError as error:
        raise BadInput(f"{what} {path} cannot be read: {error.strerror}.") from error


def plan(options: dict, work: Path, known, store, served: bytes):
    """The change that the options ask for, and whether another one has to follow it; raises BocageError."""
    if options["signed"]:
        given = change_waiting.take_signed(
            Path(options["signed"]), work / "signed", known, store, options["root_first"]
        )
        if given is not None:
            return given, True
    trust, now, partly = Path(options["trust_directory"]), timestamps.now(), bool(options["unfinished"])
    following = known.after(served) if store is not None else None
    holders = {"targets": estate_roots.targets_holders(trust, [root for root in (served, following) if root])}
    for name in options["delegations"]:
        raw = read(trust / "keys" / f"{name}.pub", 16384, "The public key")
        holders[name] = {name: repository_keys.read_public_key(raw, f"the key {name}")}
    signers = signers_here(options, holders)
    wanted = repository_roles.delegations_of({name: list(holders[name].values()) for name in options["delegations"]})
    if store is None:
        return change_plan.begin(served, wanted, signers, now, partly), True
    planned = change_plan.delegate(store, wanted, signers, now, following, partly)
    if not planned.empty:
        return planned, True
    packages = [(Path(one["file"]), one["site"]) for one in options["packages"]]
    rights = change_plan.may_execute(store)
    additions = publishable.packages(packages, lambda: publishable.estate_trust(trust), now, rights)
    additions += [publishable.other_file(one["path"], Path(one["file"])) for one in options["files"]]
    planned = change_plan.publish(store, additions, options["retired"], signers, now, partly)
    return planned, bool(planned.later)


def signers_here(options: dict, holders: dict) -> dict:
    """Signers by role, of those `holders` whose key is in a file or on a token here; raises BadInput."""
    secret, on_tokens = Path(options["secret_directory"]), options["tokens"]
    # a holder of another root than these signs nothing now, and is none the less one of the estate
    keys = Path(options["trust_directory"]) / "keys"
    unknown = sorted(one for one in on_tokens if not (keys / f"{one}.pub").exists())
    if unknown:
        raise BadInput(f"A token is given for {unknown[0]}, who holds no key of this repository; correct tokens.")
    files = {
        name: [path for one in each if one not in on_tokens and (path := secret / f"{one}.key").exists()]
        for name, each in holders.items()
    }
    lines = (
        read(Path(options["passphrase_file"]), 4096, "The passphrase file").splitlines() if any(files.values()) else []
    )
    signers = change_plan.sign_with(files, {"": lines[0] if lines else b""})
    if on_tokens:
        pin_file = tokens.needed_pin_file(options["token_pin_file"] and Path(options["token_pin_file"]))
        for name, each in holders.items():
            for one, key in each.items():
                if one in on_tokens:
                    signers[name].append(tokens.list_signer(str(on_tokens[one]), key, pin_file))
    return signers


def placed(options: dict) -> dict:
    """The options with the paths that their caller meant."""
    folder = Path(options["relative_to"] or "")
    lists = {
        name: [{**one, "file": str(folder / one["file"])} for one in options[name]] for name in ("packages", "files")
    }
    files = {name: options[name] and str(folder / options[name]) for name in ("signed", "unfinished")}
    return {**options, **lists, **files}


def run(options: dict, work: Path, check_mode: bool) -> dict:
    """What is done, or would be; raises BocageError."""
    trust, root_first = Path(options["trust_directory"]), options["root_first"]
    known, store = estate_roots.read(trust), None
    if options["exported"]:
        store = change_plan.take_exported(Path(options["exported"]), work, known, timestamps.now())
        if not check_mode:
            estate_roots.note_served(trust, store.root_bytes())
    served = known.first if store is None else store.root_bytes()
    planned, again = plan(options, work, known, store, served)
    frame = change_signatures.Frame(planned.change, served, store, root_first)
    missing, output, waits = frame.missing(), Path(options["output"]), False
    if missing and options["unfinished"]:
        output = Path(options["unfinished"])
        there = change_waiting.waiting(output, work / "waiting", served, store, root_first)
        missing, waits = change_waiting.beside(output, there, frame, missing)
    changed = bool(planned.steps) and not waits
    result = {
        "changed": changed,
        "steps": list(planned.steps),
        "lists": sorted(planned.change.lists),
        "again": again,
        "later": list(planned.later),
        "missing_signatures": missing,
        "written": str(output),
        "next_step": change_waiting.next_step(output, missing, repository_roles.read_root(served).version)
        if missing
        else "",
    }
    if changed:
        result["diff"] = {"before": "", "after": "".join(f"{step}\n" for step in planned.steps)}
        if not check_mode:
            result["bytes"] = change_archive.write_change(planned.change, output)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "output": {"type": "path", "required": True},
            "unfinished": {"type": "path"},
            "signed": {"type": "path"},
            "relative_to": {"type": "path"},
            "exported": {"type": "path"},
            "trust_directory": {"type": "path", "required": True},
            "secret_directory": {"type": "path", "required": True, "no_log": False},
            "passphrase_file": {"type": "path", "required": True, "no_log": False},
            "tokens": {"type": "dict", "default": {}, "no_log": False},
            "token_pin_file": {"type": "path", "no_log": False},
            "root_first": {"type": "bool", "default": False},
            "delegations": {
                "type": "list",
                "elements": "str",
                "default": ["base", "deployers", "crl", "rollouts"],
            },
            "packages": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "file": {"type": "path", "required": True},
                    "site": {"type": "str", "default": ""},
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "file": {"type": "path", "required": True},
                },
            },
            "retired": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    try:
        with tempfile.TemporaryDirectory(prefix="bocage-change-") as work:
            result = run(placed(module.params), Path(work), module.check_mode)
    except BocageError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
