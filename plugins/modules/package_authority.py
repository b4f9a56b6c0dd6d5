#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_authority
short_description: Keep the certificates that packages are signed under
version_added: 0.1.0
description:
  - Makes and renews an estate's own signing authority - roots, intermediates, the certificates of developers and
    deployers, and the lists of revoked ones - from what is declared.
  - Public parts go to O(trust_directory), with the folders C(authorities), C(intermediates), C(signers) and C(crl).
    All roots in C(authorities), those that were laid there by hand too, are in C(authorities.pem), which hosts get.
    A file in C(signers) holds the signer's certificate and its intermediates, as packages carry them.
  - Keys go to O(secret_directory), in the folders C(authority) and C(signers), as encrypted PKCS#8 of mode 0600. The
    authority's book C(authority/issued.json) lies beside them. It lists every certificate that was ever signed, so
    keep it with the keys.
  - A key that is not there is missed only when something has to be signed with it. What can wait is told as a warning.
  - Runs beside the keys, on the key holder's machine.
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
    details: What is about to end is made anew.
options:
  trust_directory:
    description: Folder of the public parts, beside the inventory and committed with it.
    type: path
    required: true
  secret_directory:
    description: Folder of the keys. It must not be inside O(trust_directory).
    type: path
    required: true
  passphrase_file:
    description: File whose one line is the passphrase of the authorities' keys, of mode 0600 and at least 12 characters.
    type: path
    required: true
  signer_passphrase_file:
    description: The same for the keys of signers; O(passphrase_file) when it is left out.
    type: path
  organization:
    description: Organization in the names of new certificates.
    type: str
    default: ""
  renew_days:
    description:
      - How many days before its end a signer's certificate is made anew. The one of an authority is made anew while it
        still covers the whole life of what it signs.
    type: int
    default: 30
  authorities:
    description: Roots and intermediates, each after the one that signs for it.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the authority, in small letters, digits and hyphens; also its common name.
        type: str
        required: true
      issuer:
        description: Name of the authority above. One without is a root.
        type: str
      path_length:
        description:
          - How many authorities may follow. A root has 2 when it is left out, one of them for the certificate that it
            gives to its successor; an intermediate has 0, so that it signs for signers only.
        type: int
      days:
        description: Validity of its certificate.
        type: int
        default: 1825
      crl_days:
        description: Validity of its list of revoked certificates, which is made anew in the last third.
        type: int
        default: 30
      generation:
        description: Number of its key. A higher one makes a new key; what the old one signed is signed again.
        type: int
        default: 1
      previous:
        description:
          - What becomes of earlier keys.
          - V(valid) leaves them. A new root is then also signed by the old one, so that hosts which slept believe it.
          - V(revoked) revokes the certificates of an intermediate. The certificate of a root is removed from
            C(authorities), since nobody stands above it.
        type: str
        choices: [valid, revoked]
        default: valid
      state:
        description: V(revoked) revokes all certificates of an intermediate and makes none.
        type: str
        choices: [present, revoked]
        default: present
      reason:
        description: Why certificates are revoked, as the list says it.
        type: str
        choices: [unspecified, key_compromise, affiliation_changed, superseded, cessation_of_operation]
        default: unspecified
  signers:
    description: Who signs packages. Leaving one out changes nothing; V(revoked) takes a right away.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the signer, in small letters, digits and hyphens; also the common name, over all generations.
        type: str
        required: true
      purpose:
        description:
          - V(developer) may sign packages that execute something, by the extended key usage codeSigning.
          - V(deployer) may not.
          - Another purpose than before makes a new certificate and revokes the old one.
        type: str
        choices: [developer, deployer]
        required: true
      issuer:
        description: Name of the authority that signs for it.
        type: str
        required: true
      public_key_file:
        description:
          - Public key in PEM, RSA of at least 3072 bits, of a signer whose private key is elsewhere, as on a PKCS#11
            token. No key is made then.
        type: path
      days:
        description: Validity of its certificate.
        type: int
        default: 365
      generation:
        description: Number of its key. A higher one makes a new key.
        type: int
        default: 1
      previous:
        description: What becomes of the certificates of earlier keys.
        type: str
        choices: [valid, revoked]
        default: valid
      state:
        description: V(revoked) revokes all certificates of the signer and makes none.
        type: str
        choices: [present, revoked]
        default: present
      reason:
        description: Why certificates are revoked, as the list says it.
        type: str
        choices: [unspecified, key_compromise, affiliation_changed, superseded, cessation_of_operation]
        default: unspecified
seealso:
  - module: bocage.fleet.package_root
requirements:
  - cryptography
"""

EXAMPLES = r"""
- name: Keep the authority of the estate
  bocage.fleet.package_authority:
    trust_directory: "{{ inventory_dir }}/trust/packages"
    secret_directory: "{{ inventory_dir }}/trust-secret/packages"
    passphrase_file: ~/.config/bocage/packages.passphrase
    authorities:
      - {name: acme, days: 7300, crl_days: 365}
      - {name: acme-packages, issuer: acme}
    signers:
      - {name: alice, purpose: developer, issuer: acme-packages}
      - {name: carol, purpose: deployer, issuer: acme-packages}

- name: Alice's key was stolen, she gets another; Carol left
  bocage.fleet.package_authority:
    trust_directory: "{{ inventory_dir }}/trust/packages"
    secret_directory: "{{ inventory_dir }}/trust-secret/packages"
    passphrase_file: ~/.config/bocage/packages.passphrase
    authorities:
      - {name: acme, days: 7300, crl_days: 365}
      - {name: acme-packages, issuer: acme}
    signers:
      - name: alice
        purpose: developer
        issuer: acme-packages
        generation: 2
        previous: revoked
        reason: key_compromise
      - {name: carol, purpose: deployer, issuer: acme-packages, state: revoked}
"""

RETURN = r"""
authorities:
  description: The authorities as they are now, each with C(name), C(kind), C(path), C(key_path), C(fingerprint),
    C(not_after), C(crl_path), C(crl_next_update) and C(state). What would be made in check mode is V(null).
  type: list
  elements: dict
  returned: success
signers:
  description: The signers as they are now, each with C(name), C(kind), C(path), C(key_path), C(fingerprint),
    C(not_after) and C(state).
  type: list
  elements: dict
  returned: success
steps:
  description: What was done, or would be, in words.
  type: list
  elements: str
  returned: success
  sample: ["alice: a certificate until 2027-11-22, renewed before it ends"]
"""

from collections.abc import Callable
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, timestamps
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._packages import (
        authority,
        authority_certificates,
        authority_files,
    )
    from ansible_collections.bocage.fleet.plugins.module_utils._packages.authority_parties import parties

    MISSING_LIBRARY = authority_certificates.MISSING_LIBRARY
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)


def with_public_key(signer: dict) -> dict:
    """A signer's declaration with the bytes of its public key, when that is given."""
    path = signer.get("public_key_file")
    if not path:
        return signer
    try:
        raw = atomic.read_bounded(Path(path), 16384)
    except OSError as error:
        raise BadInput(f"The public key {path} of {signer['name']} cannot be read: {error.strerror}.") from error
    key = authority_certificates.public_key(raw, f"The public key {path} of {signer['name']}")
    return {**signer, "public_key": raw, "public_key_digest": authority_certificates.public_digest(key)}


def converge(options: dict, check_mode: bool, warn: Callable[[str], None]) -> dict:
    declared = parties(
        options["authorities"], [with_public_key(one) for one in options["signers"]], options["renew_days"]
    )
    folders = authority_files.Folders(Path(options["trust_directory"]), Path(options["secret_directory"]))
    phrases = authority.Passphrases(
        Path(options["passphrase_file"]), Path(options["signer_passphrase_file"] or options["passphrase_file"])
    )
    done = authority.converge(declared, folders, phrases, options["organization"], timestamps.now(), check_mode)
    result = {
        "changed": done.changed,
        "authorities": done.authorities,
        "signers": done.signers,
        "steps": done.after,
    }
    for sentence in done.warnings:
        warn(sentence)
    if done.changed:
        result["diff"] = {
            "before": "".join(f"{line}\n" for line in done.before),
            "after": "".join(f"{line}\n" for line in done.after),
        }
    return result


REASONS = ["unspecified", "key_compromise", "affiliation_changed", "superseded", "cessation_of_operation"]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "trust_directory": {"type": "path", "required": True},
            "secret_directory": {"type": "path", "required": True, "no_log": False},
            "passphrase_file": {"type": "path", "required": True, "no_log": False},
            "signer_passphrase_file": {"type": "path", "no_log": False},
            "organization": {"type": "str", "default": ""},
            "renew_days": {"type": "int", "default": 30},
            "authorities": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "issuer": {"type": "str"},
                    "path_length": {"type": "int"},
                    "days": {"type": "int", "default": 1825},
                    "crl_days": {"type": "int", "default": 30},
                    "generation": {"type": "int", "default": 1},
                    "previous": {"type": "str", "choices": ["valid", "revoked"], "default": "valid"},
                    "state": {"type": "str", "choices": ["present", "revoked"], "default": "present"},
                    "reason": {"type": "str", "choices": REASONS, "default": "unspecified"},
                },
            },
            "signers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "purpose": {"type": "str", "choices": ["developer", "deployer"], "required": True},
                    "issuer": {"type": "str", "required": True},
                    "public_key_file": {"type": "path", "no_log": False},
                    "days": {"type": "int", "default": 365},
                    "generation": {"type": "int", "default": 1},
                    "previous": {"type": "str", "choices": ["valid", "revoked"], "default": "valid"},
                    "state": {"type": "str", "choices": ["present", "revoked"], "default": "present"},
                    "reason": {"type": "str", "choices": REASONS, "default": "unspecified"},
                },
            },
        },
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    try:
        module.exit_json(**converge(module.params, module.check_mode, module.warn))
    except BocageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"The signing authority was not completed: {error}; run again once that is mended.")


if __name__ == "__main__":
    main()
