#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_build
short_description: Make a signed package of a folder
version_added: 0.1.0
description:
  - Runs beside the key of a developer or a deployer, and makes the C(.wapt) file that C(bocage-package sign) makes.
  - The file is made again only where its control file, its files, their permission to be executed, or its signer is
    another one. What is compared is what is signed, and not the bytes of the archive, so that a package keeps the bytes
    under which it was published.
  - Name and version are those of C(WAPT/control) in the folder.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Reads the key, since who signs is a part of what is compared; writes nothing.
  diff_mode:
    support: full
    details: Control fields, digests of files and the signer. No key, no passphrase and no content of a file is in it.
  idempotent:
    support: full
options:
  folder:
    description: The folder, as C(bocage-package init) begins one.
    type: path
    required: true
  output_directory:
    description: Where the file goes; beside the folder if left out.
    type: path
  certificate:
    description: Certificate of the signer (PEM, its own first). What hosts execute needs one with codeSigning.
    type: path
    required: true
  key:
    description: Its private key (PEM, PKCS#8).
    type: path
  pkcs11:
    description: URI of its key on a token (RFC 7512), as V(pkcs11:token=estate;object=developer).
    type: str
  passphrase_file:
    description: File whose first line is the passphrase of the key, or the PIN of the token.
    type: path
  at:
    description: Time of the signature, as V(2026-01-31T08:30:00Z), where one is made; now if left out.
    type: str
seealso:
  - module: bocage.fleet.package_change
    description: Publishes it.
requirements:
  - cryptography
  - python-pkcs11 (for keys on tokens)
"""

EXAMPLES = r"""
- name: Make the packages of a project
  bocage.fleet.package_build:
    folder: "{{ playbook_dir }}/packages/{{ item }}"
    output_directory: "{{ playbook_dir }}/dist"
    key: "{{ trust_secret_directory }}/packages/signers/developer.key"
    certificate: "{{ inventory_dir }}/trust/packages/signers/developer.crt"
    passphrase_file: "{{ trust_secret_directory }}/packages/passphrase"
  loop: [editor, fonts]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
file:
  description: The C(.wapt) file.
  type: str
  returned: success
package:
  description: Name of the package.
  type: str
  returned: success
version:
  description: Its version.
  type: str
  returned: success
section:
  description: Its kind, such as V(base) or V(group).
  type: str
  returned: success
files:
  description: Names of its files, without those that signing makes.
  type: list
  elements: str
  returned: success
executables:
  description: Those of them that hosts execute.
  type: list
  elements: str
  returned: success
signer:
  description: Name and fingerprint of the signer.
  type: str
  returned: success
reasons:
  description: Why the file was made, or would be.
  type: list
  elements: str
  returned: success
  sample: ["files differ: setup.py"]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._packages import (
        building,
        certificates,
        entry_names,
        signing,
    )

    MISSING_LIBRARY = certificates.MISSING_LIBRARY
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)


def signer_of(options: dict):
    """Who signs; raises BocageError."""
    certificate, secret = Path(options["certificate"]), options["passphrase_file"]
    if options["pkcs11"]:
        return building.token_signer(options["pkcs11"], certificate, Path(secret) if secret else None)
    passphrase = building.read_passphrase(Path(secret)) if secret else None
    return signing.load_signer(Path(options["key"]), certificate, passphrase)


def text(content) -> str:
    return "" if content is None else "".join(f"{line}\n" for line in content.lines())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "output_directory": {"type": "path"},
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "no_log": False},
            "pkcs11": {"type": "str"},
            "passphrase_file": {"type": "path", "no_log": False},
            "at": {"type": "str"},
        },
        mutually_exclusive=[("key", "pkcs11")],
        required_one_of=[("key", "pkcs11")],
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    options = module.params
    try:
        at = timestamps.parse(options["at"], "The time of the signature") if options["at"] else timestamps.now()
        signer = signer_of(options)
        place = Path(options["output_directory"]) if options["output_directory"] else None
        planned = building.plan(Path(options["folder"]), place, signer, at)
        if planned.reasons and not module.check_mode:
            building.build(planned, signer, at)
    except BocageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename} cannot be read: {error.strerror}.")
    control, files = planned.control, sorted(planned.after.files)
    module.exit_json(
        changed=bool(planned.reasons),
        file=str(planned.output),
        package=control.package,
        version=control.version,
        section=control.section,
        files=files,
        executables=list(entry_names.executables(files)),
        signer=planned.after.signer,
        reasons=list(planned.reasons),
        diff={"before": text(planned.before), "after": text(planned.after)},
    )


if __name__ == "__main__":
    main()
