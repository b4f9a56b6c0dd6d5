# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a question for a host that has proven nothing, and sees to it that nothing secret goes there."""

from __future__ import annotations

import re
import secrets
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._state import known_hosts

# SSH takes the first word on an option, so these come before all others. A key that nobody has proven must not get into
# the file of known hosts either, where it would count as pinned.
CAUTIOUS = (
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "GSSAPIDelegateCredentials=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "UpdateHostKeys=no",
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
)
# What these options cannot take back, since it is no option.
FORWARDS = re.compile(r"(^|\s)-(?!o)[a-zA-Z]*[AXYK]")
ARGUMENTS = ("ssh_args", "ssh_common_args", "ssh_extra_args")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        host = str((task_vars or {}).get("inventory_hostname"))
        try:
            result.update(self._question(host))
        except BocageError as error:
            result.update(failed=True, msg=str(error))
        return result

    def _question(self, host: str) -> dict[str, Any]:
        # A connection that is no SSH does not go over a network that others could have.
        by_ssh = self._connection.transport == "ssh"
        pinned = not by_ssh or bool(self._connection.get_option("host_key_checking"))
        name, arguments = host, ""
        if by_ssh:
            port = self._connection.get_option("port")
            name = known_hosts.name_of(str(self._connection.get_option("host")), None if port is None else int(port))
        if not pinned:
            self._refuse_secrets(host)
            given = self._connection.get_option("ssh_args") or ""
            arguments = " ".join([*(f"-o {option}" for option in CAUTIOUS), given]).strip()
        return {
            "changed": False,
            "nonce": secrets.token_urlsafe(32),
            "pinned": pinned,
            "ssh_args": arguments,
            "known_hosts_name": name,
        }

    def _refuse_secrets(self, host: str) -> None:
        become = self._connection.become
        if become is not None and become.get_option("become_pass"):
            raise BadInput(
                f"The password for becoming root would go to {host}, which has proven nothing yet; enrol it without one"
                " (as root, or by sudo without a password), or pin its SSH host key first."
            )
        if self._connection.get_option("password"):
            raise BadInput(
                f"A password for SSH would go to {host}, which has proven nothing yet; enrol it with an SSH key, or pin its"
                " SSH host key first."
            )
        given = " ".join(self._connection.get_option(option) or "" for option in ARGUMENTS)
        if FORWARDS.search(given):
            raise BadInput(
                f"The arguments of SSH forward an agent, a screen or a ticket to {host}, which has proven nothing yet; take"
                f" -A, -X, -Y and -K out of {', '.join(ARGUMENTS)}, or pin its SSH host key first."
            )
