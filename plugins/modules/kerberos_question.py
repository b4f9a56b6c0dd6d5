#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kerberos_question
short_description: Ask a host that nobody knows yet who it is
version_added: 0.1.0
description:
  - Makes the question that M(bocage.fleet.kerberos_request) answers on the host, and checks that nothing secret goes to a
    machine that has proven nothing. Runs on the controller and does not contact the host.
  - Where the connection is by SSH without host key checking, a password for the connection or for becoming root fails
    the task, and so does forwarding of an SSH agent. RV(ssh_args) switches off all that SSH would do of this kind by
    its own configuration, and keeps keys that nobody has proven out of the file of known hosts.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each question is another one.
options: {}
seealso:
  - module: bocage.fleet.kerberos_request
  - module: bocage.fleet.kerberos_proof
"""

EXAMPLES = r"""
- name: Ask the host who it is
  bocage.fleet.kerberos_question:
  register: question
"""

RETURN = r"""
nonce:
  description: Random, for one answer.
  type: str
  returned: success
  sample: 4Zs8gXV0w0S1dC1hHnqkLOsMZP1vTn0pXw5iLZ0c9aE
pinned:
  description: Whether the connection would refuse another machine by itself.
  type: bool
  returned: success
ssh_args:
  description: Arguments for SSH to a machine that has proven nothing, as C(ansible_ssh_args); empty with RV(pinned).
  type: str
  returned: success
known_hosts_name:
  description: How the host is called in a file of known hosts.
  type: str
  returned: success
  sample: "[198.51.100.7]:2222"
"""

# The action of the same name does the work.
