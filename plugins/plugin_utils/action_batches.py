# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom an action goes to at a time, and the key that signs it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, dsse
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.module_utils._state import trust as trust_folder
from ansible_collections.bocage.fleet.plugins.module_utils._state import trust_writer
from ansible_collections.bocage.fleet.plugins.module_utils._state.trust import Trust

Batch = Mapping[str, str]
"""Ids of hosts by their names."""


def batches(names: Iterable[str], trust: Trust, size: int) -> list[Batch]:
    """The hosts in portions, in the order of their names; tenants apart, as the hosts of one read each other's ids."""
    by_tenant: dict[str, dict[str, str]] = {}
    for name in sorted(set(names)):
        enrolment = trust.enrolments.get(name)
        if enrolment is None:
            why = trust.problems.get(name, f"The host {name} is not enrolled.")
            raise BadInput(f"{why} Nothing was sent; leave it out with --limit, or run playbooks/enrol.yml.")
        if trust.is_revoked(enrolment):
            raise BadInput(f"The enrolment of {name} was revoked. Nothing was sent; leave it out with --limit.")
        by_tenant.setdefault(enrolment.tenant or "", {})[name] = enrolment.host_id
    found: list[Batch] = []
    for tenant in sorted(by_tenant):
        rest = iter(by_tenant[tenant].items())
        while portion := dict(itertools.islice(rest, size)):
            found.append(portion)
    return found


def read_key(path: Path, passphrase: str | None, trust: Path) -> bytes:
    """The operator's private key, PEM without passphrase; raises BadInput where hosts would not take its word."""
    private = trust_writer.read_private_key(path)
    if private is None:
        raise BadInput(f"The action key {path} is missing; run playbooks/trust.yml, or name yours.")
    if not atomic.is_private(path):
        raise BadInput(f"Others can read the action key {path}; set its mode to 0600.")
    try:
        plain = dsse.unlocked(private, passphrase) if passphrase else private
        public = dsse.public_key_of(plain)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    if public not in trust_folder.read_action_keys(trust).values():
        raise BadInput(
            f"The public half of {path} is not among {trust / trust_folder.ACTIONS}/*.pub, so that no host takes its word;"
            " pin it with trust_root and run playbooks/state.yml."
        )
    return plain
