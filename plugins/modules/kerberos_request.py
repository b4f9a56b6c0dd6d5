#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kerberos_request
short_description: Prove on a host that its keys are its own, by its account in a Kerberos realm
version_added: 0.1.0
description:
  - Runs on the host. Reads the public halves of its keys and of its SSH host keys, and writes them with its name, the
    estate and the nonce of M(bocage.fleet.kerberos_question) into one request.
  - Gets a ticket for O(service) by the machine's own keytab, kept in memory alone, and signs the request's bytes with the
    key of that ticket (GSS-API, RFC 4121). Nothing of the machine is delegated, and nothing that is returned is secret.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: The module changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description: Name of the host in the inventory.
    type: str
    required: true
  estate:
    description: What tells the estate from every other, its C(estate_ula_prefix).
    type: str
    required: true
  nonce:
    description: The question, of M(bocage.fleet.kerberos_question).
    type: str
    required: true
  principal:
    description: The machine's account in the realm, in full, as V(host/desk1.example.com@EXAMPLE.COM) or
      V(DESK1$@EXAMPLE.COM).
    type: str
    required: true
  service:
    description: The estate's enrolment service in the realm, in full.
    type: str
    required: true
  keytab:
    description: The machine's keytab.
    type: path
    default: /etc/krb5.keytab
  report_key_file:
    description: File of the report key, of M(bocage.fleet.host_identity).
    type: path
    default: /etc/bocage/report.key
  id_file:
    description: File of the host's id.
    type: path
    default: /var/lib/bocage/host_id
  mesh_key_file:
    description: File of the mesh key, of M(bocage.fleet.mesh_key).
    type: path
    default: /etc/bocage/mesh/private.key
  ssh_directory:
    description: Where the SSH server has its host keys.
    type: path
    default: /etc/ssh
seealso:
  - module: bocage.fleet.kerberos_proof
requirements:
  - gssapi (Debian package python3-gssapi)
  - openssl
  - wg (Debian package wireguard-tools)
"""

EXAMPLES = r"""
- name: Let the host prove which keys are its own
  bocage.fleet.kerberos_request:
    name: "{{ inventory_hostname }}"
    estate: "{{ estate_ula_prefix }}"
    nonce: "{{ question.nonce }}"
    principal: host/desk1.example.com@EXAMPLE.COM
    service: bocage-enrol/example.internal@EXAMPLE.COM
  register: request
"""

RETURN = r"""
request:
  description: The request's bytes in base64.
  type: str
  returned: success
token:
  description: The ticket's token for the service, in base64; worth something to whoever has the service's keytab alone.
  type: str
  returned: success
signature:
  description: The signature over the request's bytes, in base64.
  type: str
  returned: success
"""

import base64
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh import keys
from ansible_collections.bocage.fleet.plugins.module_utils._state import identity, kerberos, registration


def read_request(module: AnsibleModule) -> registration.Request:
    """The host's own word on its keys: read from its files, not taken from who asks."""
    options = module.params
    files = {name: Path(options[name]) for name in ("report_key_file", "id_file", "mesh_key_file")}
    for path in files.values():
        if not path.is_file():
            raise BadInput(
                f"The host {options['name']} has no {path}; make its keys first, with host_identity and mesh_key."
            )
    mesh_key = files["mesh_key_file"].read_text(errors="replace")
    public = sorted(Path(options["ssh_directory"]).glob("ssh_host_*_key.pub"))
    return registration.Request(
        estate=options["estate"],
        name=options["name"],
        host_id=identity.host_id(files["id_file"]),
        report_key=identity.report_key(
            lambda command: module.run_command(command, encoding=None), files["report_key_file"]
        ),
        mesh_key=keys.public_key(
            lambda command, data: module.run_command(command, data=data), mesh_key, files["mesh_key_file"]
        ),
        nonce=options["nonce"],
        host_keys=tuple(registration.read_host_key(path.read_text(errors="replace"), str(path)) for path in public),
    )


def answer(module: AnsibleModule) -> dict:
    options = module.params
    if not registration.NONCE.fullmatch(options["nonce"]):
        raise BadInput("The nonce is none of kerberos_question; hand its result over as it is.")
    gssapi = kerberos.library(options["name"])
    data = read_request(module).to_bytes()
    proof = kerberos.prove(
        gssapi, data, options["principal"], options["service"], Path(options["keytab"]), options["name"]
    )
    return {
        "changed": False,
        "request": base64.b64encode(data).decode(),
        "token": base64.b64encode(proof.token).decode(),
        "signature": base64.b64encode(proof.signature).decode(),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "estate": {"type": "str", "required": True},
            "nonce": {"type": "str", "required": True},
            "principal": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "keytab": {"type": "path", "default": "/etc/krb5.keytab", "no_log": False},
            "report_key_file": {"type": "path", "default": "/etc/bocage/report.key", "no_log": False},
            "id_file": {"type": "path", "default": "/var/lib/bocage/host_id"},
            "mesh_key_file": {"type": "path", "default": "/etc/bocage/mesh/private.key", "no_log": False},
            "ssh_directory": {"type": "path", "default": "/etc/ssh"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**answer(module))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
