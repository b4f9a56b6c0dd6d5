#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kerberos_proof
short_description: Verify that a host is who it says, by its account in a Kerberos realm
version_added: 0.1.0
description:
  - Runs beside the keytab of the estate's enrolment service, so it is delegated to the controller, with a Python that has
    C(gssapi). It needs no connection to the realm.
  - Accepts the token of M(bocage.fleet.kerberos_request) with that keytab, verifies the signature over the request's
    bytes, and compares the account with O(principal) to the letter. Only then the request is read; it must answer
    O(nonce), name this host and this estate, and have the keys that were read from the host.
  - With O(known_hosts_file), the proven SSH host keys are pinned there, in place of those that the host had.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: A proof counts once. What is pinned is written once.
options:
  request:
    description: The request, as M(bocage.fleet.kerberos_request) returned it.
    type: str
    required: true
  token:
    description: The token of the same.
    type: str
    required: true
  signature:
    description: The signature of the same.
    type: str
    required: true
  name:
    description: Name of the host in the inventory.
    type: str
    required: true
  estate:
    description: What tells the estate from every other, its C(estate_ula_prefix).
    type: str
    required: true
  nonce:
    description: The question that was asked.
    type: str
    required: true
  host_id:
    description: Host id that was read from the host.
    type: str
    required: true
  report_key:
    description: Report key that was read from the host.
    type: str
    required: true
  mesh_key:
    description: Mesh key that was read from the host.
    type: str
    required: true
  principal:
    description: The account that the host must be in the realm, in full.
    type: str
    required: true
  service:
    description: The estate's enrolment service in the realm, in full.
    type: str
    required: true
  keytab:
    description: Keytab of the service, which others cannot read.
    type: path
    required: true
  known_hosts_file:
    description: File of known hosts to pin the proven SSH host keys in; its folder must exist.
    type: path
  known_hosts_name:
    description: How the host is called there. Required with O(known_hosts_file).
    type: str
seealso:
  - module: bocage.fleet.enrolment
requirements:
  - gssapi (Debian package python3-gssapi)
"""

EXAMPLES = r"""
- name: Verify that the host is who it says
  bocage.fleet.kerberos_proof:
    request: "{{ request.request }}"
    token: "{{ request.token }}"
    signature: "{{ request.signature }}"
    name: "{{ inventory_hostname }}"
    estate: "{{ estate_ula_prefix }}"
    nonce: "{{ question.nonce }}"
    host_id: "{{ identity.host_id }}"
    report_key: "{{ identity.report_key }}"
    mesh_key: "{{ mesh.public_key }}"
    principal: host/desk1.example.com@EXAMPLE.COM
    service: bocage-enrol/example.internal@EXAMPLE.COM
    keytab: "{{ trust_secret_directory }}/enrol.keytab"
  delegate_to: localhost
  throttle: 1
"""

RETURN = r"""
principal:
  description: The account in the realm that vouched.
  type: str
  returned: success
  sample: host/desk1.example.com@EXAMPLE.COM
host_keys:
  description: The SSH host keys that the host has proven, as they stand in a file of known hosts.
  type: list
  elements: str
  returned: success
"""

import base64
import binascii
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError, Untrusted
from ansible_collections.bocage.fleet.plugins.module_utils._state import kerberos, known_hosts, registration

MAX_KNOWN_HOSTS_BYTES = 64 * 1024 * 1024


def decoded(options: dict, field: str) -> bytes:
    try:
        return base64.b64decode(options[field], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Untrusted(f"The {field} of {options['name']} is not base64; nothing was signed.") from error


def proven(options: dict) -> tuple[str, registration.Request]:
    """The account that vouched, and the request that it vouched for."""
    keytab = Path(options["keytab"])
    if not keytab.is_file():
        raise BadInput(
            f"The keytab {keytab} of the enrolment service is missing; write one for {options['service']} in the realm, and"
            " put it there with mode 0600."
        )
    if not atomic.is_private(keytab):
        raise BadInput(f"Others can read the keytab {keytab}; set its mode to 0600.")
    name, data = options["name"], decoded(options, "request")
    kerberos.check_principal(options["principal"], "enrol_kerberos_principal")
    proof = kerberos.Proof(decoded(options, "token"), decoded(options, "signature"))
    gssapi = kerberos.library("the controller")
    initiator = kerberos.accept(gssapi, proof, data, options["service"], keytab, name)
    kerberos.check_initiator(initiator, options["principal"], name)
    request = registration.Request.from_bytes(data, name)
    expected = {field: options[field] for field in ("estate", "name", "nonce", "host_id", "report_key", "mesh_key")}
    registration.judge(request, registration.Expected(**expected))
    return initiator, request


def pin(path: Path, name: str, keys: tuple[str, ...], check_mode: bool) -> dict:
    """The proven keys into the file of known hosts; what changes there."""
    try:
        before = atomic.read_bounded(path, MAX_KNOWN_HOSTS_BYTES).decode()
    except FileNotFoundError:
        before = ""
    except UnicodeDecodeError as error:
        raise BadInput(
            f"The file {path} is no text, so that no SSH host key can be pinned there; name another."
        ) from error
    after = known_hosts.pin(before, name, keys)
    if after == before:
        return {"changed": False}
    if not check_mode:
        atomic.write_file(path, after.encode(), 0o644)
    header = str(path)
    return {
        "changed": True,
        "diff": {"before": before, "after": after, "before_header": header, "after_header": header},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "request": {"type": "str", "required": True},
            "token": {"type": "str", "required": True, "no_log": False},
            "signature": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "estate": {"type": "str", "required": True},
            "nonce": {"type": "str", "required": True},
            "host_id": {"type": "str", "required": True},
            "report_key": {"type": "str", "required": True, "no_log": False},
            "mesh_key": {"type": "str", "required": True, "no_log": False},
            "principal": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "keytab": {"type": "path", "required": True, "no_log": False},
            "known_hosts_file": {"type": "path"},
            "known_hosts_name": {"type": "str"},
        },
        required_by={"known_hosts_file": ["known_hosts_name"]},
        supports_check_mode=True,
    )
    options = module.params
    try:
        initiator, request = proven(options)
        result = {"changed": False, "principal": initiator, "host_keys": list(request.host_keys)}
        if options["known_hosts_file"]:
            path = Path(options["known_hosts_file"])
            result.update(pin(path, options["known_hosts_name"], request.host_keys, module.check_mode))
        module.exit_json(**result)
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
