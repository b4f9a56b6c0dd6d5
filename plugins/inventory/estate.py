# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts report, verified, beside what the inventory wants."""

from __future__ import annotations

DOCUMENTATION = r"""
name: estate
short_description: Reported state of an estate, verified
version_added: 0.1.0
author:
  - The Bocage maintainers (@bocage-fleet)
description:
  - Adds to the hosts of the group C(managed) what they report of themselves, as the variable C(reported), and puts
    them into groups by it.
  - Hosts come from the other files of the inventory. This plugin reads them where it is parsed after those, and files
    of a folder are parsed in the order of their names; C(reported.estate.yml) comes after C(hosts.yml), while
    C(estate.yml) would come before. It adds no host.
  - The registry is not trusted. Every enrolment is verified with the pinned key C(enrolment.pub), every report with
    the key that the host was enrolled with, and what is older than what was seen before is refused.
  - A host is in exactly one of the groups C(state_fresh), C(state_stale), C(state_lost) (by the age of its newest
    report), C(state_untrusted) (something offered for it must not be believed) and C(state_missing) (never reported,
    or not enrolled). The variable C(reported.reason) says why in one sentence.
  - In C(drift_config) are hosts that report a seal which is broken or must not be believed, and in C(drift_<role>)
    (C(drift_host), C(drift_mesh), C(drift_names), C(drift_firewall), C(drift_gateway), C(drift_registry),
    C(drift_agent), and those of your own roles) those where it is the seal of this role. In C(drift_agent) are also
    hosts on which the agent's own folder is not as it was installed, in C(drift_mesh)
    hosts whose mesh is not as enrolled and configured, and in C(drift_mtu) those that measured a path on which smaller
    packets than planned pass in one piece. All groups exist also when they are empty, except those of
    your own roles.
  - In C(gateway_undersized) are gateways that lack, by their report, something that their share of the C(connections)
    of their site needs, with one gateway of the site away; in C(gateway_headroom_low) those with less room left than
    C(headroom_percent) of the site, in the sizing or in the table of flows. C(reported.sizing) has C(connections),
    C(capacity), C(binding) and C(findings). See M(bocage.fleet.gateway_sizing).
  - In C(gateway_unhealthy) are gateways that report that nobody on their LAN answers, or that they have no path to a host
    while another gateway has; in C(gateway_drained) those that an operator drained. In C(drift_routing) are also hosts
    with a path to a gateway that is down. C(reported.sections.routing) has C(sessions) and C(exits), by which gateway
    each LAN is entered, also where there is one gateway only.
  - In C(drift_segments) are also gateways whose election of the active gateway of segments is silent.
    C(reported.sections.segments.segments) has for each segment of a gateway C(name), C(active) and C(fitness).
  - In C(ring_<n>_pending) are hosts whose ring, the one with this number, has yet to open in some rollout.
  - In C(packages_need_upgrade) are hosts that report packages to install, upgrade or remove; in C(packages_error) those
    with a package in the state C(ERROR) or C(MISSING); in C(drift_packages) those and hosts where an audit of a package
    is not C(OK), where work was cut off, or whose last update failed. C(reported.packages) has versions by package (empty
    where they were too many for a report), C(reported.sections.packages) the rest, with C(problems), C(audits),
    C(offline_records), C(refused), C(metadata), C(last_update_at) and C(installed_digest).
  - In C(packages_expiring) are hosts that serve packages, as the publisher or as a copy, of which something ends within the
    time of its alert or has ended - metadata, a list of revoked certificates, a certificate. The variable
    C(reported.sections.repository) has C(ends), the most urgent first, each with C(name), C(kind), C(ends_at), C(state) and
    C(signed_by), and C(expiring) with a sentence for each that somebody has to look at.
  - C(reported.sections.mesh.epoch) is the epoch of the mesh key that the host uses, and C(live_epochs) beside it has all
    epochs of which it has an interface, two of them while keys rotate. 0 is the key of its enrolment.
  - C(reported) holds C(state), C(reason), C(enrolment) (where it counts), and where a report counts C(generation),
    C(counter), C(issued_at), C(boot_id), C(sections), C(seals) and C(drift). Nothing in it changes without a new
    report, except what the states need.
  - C(reported.enrolment.epochs) has by epoch the mesh keys that the host vouched for in C(trust/epochs/), each verified with
    the report key that it was enrolled with.
  - C(reported.seals) has for each role that left a seal C(status) (C(intact), C(broken), C(changed) where a fact is
    another one, C(refused)), C(digest) of what was desired, C(base), C(facts), C(counter), C(sealed_at) and
    C(findings). C(reported.drift) has sentences by role.
  - Values that hosts reported are never templates, whatever they contain.
notes:
  - The cache holds what the registry gave and which of it was verified already. It is as trustworthy as the
    operator's account, in which it lies with mode 0600; it is not used when others can write to it.
  - A registry that does not answer is a warning, and hosts keep the state of the last answer, at most as
    C(state_stale). Before the registry is installed (a file of O(ca_file), O(token_file) or the key of O(ssh_tunnel)
    is missing) it is not asked and nothing is warned of. With O(strict=true) both are errors.
  - Without a trust folder, as in a fresh clone, all hosts are in C(state_missing).
  - Relative paths are relative to the folder of the file that names them.
extends_documentation_fragment:
  - constructed
requirements:
  - cryptography
  - httpx
  - securesystemslib
options:
  plugin:
    description: Token that makes a file one of this plugin.
    type: str
    required: true
    choices: [bocage.fleet.estate]
  trust:
    description: Trust folder, with C(enrolment.pub), C(enrolments/) and C(floors.json).
    type: str
    default: trust
  registry_url:
    description: The registry, for example C(https://registry.demo.internal). Left out, the trust folder alone speaks.
    type: str
  registry_address:
    description: Address to connect to instead of what the name in O(registry_url) resolves to. The certificate is
      verified for the name all the same.
    type: str
  ssh_tunnel:
    description:
      - Way to a registry that listens inside the overlay only, by an SSH forward through a hub. It stands while the
        registry is asked and ends with it.
      - Needs C(ssh) on the controller and the hub's host key in O(ssh_tunnel.known_hosts_file) or in the user's own.
    type: dict
    suboptions:
      host:
        description: Name or address of the hub.
        type: str
        required: true
      port:
        description: Port of SSH.
        type: int
        default: 22
      user:
        description: User on the hub.
        type: str
      key_file:
        description: Private key of SSH.
        type: str
      known_hosts_file:
        description: Pinned host keys.
        type: str
      extra_arguments:
        description: Further arguments of C(ssh).
        type: list
        elements: str
  ca_file:
    description: Certificate of the authority that signed the registry's, usually C(trust/registry-ca.pem); the
      system's authorities when left out.
    type: str
  token_file:
    description: File with a reader's token. Required with O(registry_url).
    type: str
  reports:
    description: Folder of envelopes, or of pages of C(GET /v1/hosts), as JSON files in a registry's place, for
      offline use.
    type: str
  cache_directory:
    description: Folder of the cache; by default C(bocage/<estate_name>) in Ansible's home.
    type: str
  as_of:
    description: Show the state at this time, for example C(2026-01-31T08:30:00Z), from the registry's history or from
      O(reports).
    type: raw
    env:
      - name: BOCAGE_AS_OF
  fresh_seconds:
    description: Up to this age of its report a host is in C(state_fresh).
    type: int
    default: 180
  stale_seconds:
    description: Up to this age of its report a host is in C(state_stale), afterwards in C(state_lost).
    type: int
    default: 3600
  timeout_seconds:
    description: How long to wait for the tunnel and for each answer.
    type: float
    default: 10
  strict:
    description: Whether a registry that does not answer, a damaged document and an expression that fails are errors.
    type: bool
    default: false
  use_vars_plugins:
    description: Whether vars plugins (C(group_vars), C(host_vars)) are asked for each group and host. Those of the
      group C(all) are always read.
    type: bool
    default: false
"""

EXAMPLES = r"""
# inventories/acme/reported.estate.yml
plugin: bocage.fleet.estate
registry_url: https://registry.acme.example
ca_file: trust/registry-ca.pem
token_file: ~/.config/bocage/reader.token
ssh_tunnel:
  host: 203.0.113.10
  user: root
registry_address: fd7b:4c1e:90a2::1
keyed_groups:
  - key: reported.sections.system.agent_version | default('none')
    prefix: agent
---
# Offline, as the estate was one evening
plugin: bocage.fleet.estate
reports: ../../incident/reports
as_of: 2026-01-31T20:00:00Z
"""

import contextlib
import gc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._common.estate import Estate
    from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_drift import (
        GATEWAY_STATES,
        PACKAGE_GROUPS,
        SEALED_ROLES,
        OverlayAddresses,
        gateway_groups,
        package_groups,
    )
    from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_states import STATES
    from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_loader import (
        ANY_SEAL,
        PACKAGES,
        PATHS,
        DesiredAddresses,
        HostState,
        load,
    )
    from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_settings import read_settings
    from ansible_collections.bocage.fleet.plugins.plugin_utils.expressions import compiled_once
    from ansible_collections.bocage.fleet.plugins.plugin_utils.gateway_groups import GROUPS as SIZING_GROUPS
    from ansible_collections.bocage.fleet.plugins.plugin_utils.gateway_groups import size_reported
    from ansible_collections.bocage.fleet.plugins.plugin_utils.inventory_variables import InventoryVariables
except ImportError as error:
    # Said by name when the plugin runs; without this Ansible knows no such plugin at all.
    MISSING_LIBRARY = error.name or str(error)

MANAGED_GROUP = "managed"
GATEWAY_GROUP = "gateways"
_FILES = ("estate.yml", "estate.yaml")
# From here on Python's collector costs seconds.
_MANY_HOSTS = 1000
_ESTATE_VARIABLES = ("estate_name", "estate_domain", "estate_ula_prefix", "estate_sites")


class InventoryModule(BaseInventoryPlugin, Constructable):
    """Sets variables and groups in bulk, because an estate may have 25,000 hosts."""

    NAME = "bocage.fleet.estate"

    def verify_file(self, path: str) -> bool:
        name = Path(path).name
        return bool(super().verify_file(path)) and (name in _FILES or name.endswith(tuple(f".{one}" for one in _FILES)))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        if MISSING_LIBRARY is not None:
            raise AnsibleParserError(f"{path} needs the Python library {MISSING_LIBRARY}; install it beside Ansible.")
        self._read_config_data(path)
        with _calm_collector(inventory):
            try:
                self._parse(inventory, loader, path)
            except BocageError as error:
                raise AnsibleParserError(str(error)) from error

    def _parse(self, inventory: InventoryData, loader: DataLoader, path: str) -> None:
        variables = InventoryVariables(inventory, loader, path, use_vars_plugins=self.get_option("use_vars_plugins"))
        managed = inventory.groups.get(MANAGED_GROUP)
        hosts = {} if managed is None else {host.name: host for host in managed.get_hosts()}
        if not hosts:
            self.display.warning(
                f"{path}: no host of the group {MANAGED_GROUP} was read before this file; give it a name that sorts"
                " after the files that have the hosts."
            )
        name = str(variables.everyone.get("estate_name") or "estate")
        settings = read_settings(self.get_options(), Path(path), name, Path(C.ANSIBLE_HOME))
        loaded = load(settings, list(hosts), self._desired(hosts, variables))
        for notice in loaded.notices:
            self.display.vv(f"{path}: {notice}")
        for warning in loaded.warnings:
            self.display.warning(warning)
        self.display.vvv(f"{path}: {loaded.signatures} signatures verified, {loaded.requests} requests")
        _set_groups(inventory, hosts, loaded.hosts)
        self._size_gateways(inventory, hosts, variables)
        self._construct(inventory, variables)

    def _desired(self, hosts: dict[str, Host], variables: InventoryVariables) -> DesiredAddresses:
        """The overlay addresses that a host should have, as far as the inventory says enough."""
        estate_vars = {name: variables.everyone[name] for name in _ESTATE_VARIABLES if name in variables.everyone}
        self.templar.available_variables = variables.everyone
        try:
            addresses = OverlayAddresses(Estate.from_vars(self.templar.template(estate_vars), {}))
        except BadInput as error:
            # validate_estate tells of this with its place; here only a comparison is left out.
            self.display.vv(f"Reported addresses are not compared: {error}")
            return lambda name: None
        return lambda name: addresses.of(
            variables.value(hosts[name], "host_site"), variables.value(hosts[name], "host_index")
        )

    def _size_gateways(self, inventory: InventoryData, hosts: dict[str, Host], variables: InventoryVariables) -> None:
        """Groups of gateways that are too small or nearly full, by what they report."""
        groups = {name: inventory.groups[inventory.add_group(name)] for name in SIZING_GROUPS}
        gateways = inventory.groups.get(GATEWAY_GROUP)
        members = [] if gateways is None else [one for one in gateways.get_hosts() if one.name in hosts]
        reports = {host.name: host.vars["reported"].get("sections") for host in members}
        try:
            sized = size_reported(
                members, {name: one for name, one in reports.items() if one}, variables, self._evaluate
            )
        except (BadInput, AnsibleError) as error:
            # validate_estate tells of this with its place; here only a comparison is left out.
            self.display.vv(f"Gateways are not compared with their sizing: {error}")
            return
        for name, value in sized.values.items():
            hosts[name].vars["reported"]["sizing"] = value
        for group, names in sized.groups.items():
            for name in names:
                groups[group].add_host(hosts[name])

    def _evaluate(self, value: Any, known: Mapping[str, Any]) -> Any:
        self.templar.available_variables = known
        return self.templar.template(value)

    def _construct(self, inventory: InventoryData, variables: InventoryVariables) -> None:
        """Variables and groups of the operator's own expressions, over all hosts, as the plugin constructed has them."""
        compose, groups, keyed_groups = (self.get_option(name) for name in ("compose", "groups", "keyed_groups"))
        if not (compose or groups or keyed_groups):
            return
        strict = self.get_option("strict")
        with compiled_once(self.templar) as compiled:
            for host in list(inventory.hosts.values()):
                known = variables.of(host)
                if compose:
                    self._set_composite_vars(compose, known, host.name, strict=strict)
                    known = variables.of(host)
                self._add_host_to_composed_groups(groups, known, host.name, strict=strict, fetch_hostvars=False)
                self._add_host_to_keyed_groups(keyed_groups, known, host.name, strict=strict, fetch_hostvars=False)
        self.display.vvv(f"{len(compiled)} expressions compiled for {len(inventory.hosts)} hosts")


def _set_groups(inventory: InventoryData, hosts: dict[str, Host], states: dict[str, HostState]) -> None:
    """Variables and groups, set on the objects themselves: what hosts reported carries no trust as a template."""
    groups = {f"state_{state}": inventory.groups[inventory.add_group(f"state_{state}")] for state in STATES}
    groups.update({name: inventory.groups[inventory.add_group(name)] for name in (*GATEWAY_STATES, *PACKAGE_GROUPS)})
    drift = {name: _drift_group(inventory, name) for name in (ANY_SEAL, PATHS, PACKAGES, *SEALED_ROLES)}
    for name, state in states.items():
        host = hosts[name]
        host.vars["reported"] = state.reported
        groups[f"state_{state.state}"].add_host(host)
        sections = state.reported.get("sections") or {}
        for name in gateway_groups(sections) | package_groups(sections):
            if name not in groups:
                # of a ring of some rollout
                groups[name] = inventory.groups[inventory.add_group(name)]
            groups[name].add_host(host)
        for ending in state.drift:
            if ending not in drift:
                # of an operator's own role
                drift[ending] = _drift_group(inventory, ending)
            drift[ending].add_host(host)
    inventory._groups_dict_cache = {}


def _drift_group(inventory: InventoryData, ending: str) -> Group:
    return inventory.groups[inventory.add_group(f"drift_{ending}")]


@contextlib.contextmanager
def _calm_collector(inventory: InventoryData) -> Iterator[None]:
    """What is read here lives as long as the inventory, so looking for garbage in it again and again is in vain."""
    if gc.get_freeze_count():
        # The inventory is read once more; the one before may go.
        gc.unfreeze()
        gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(inventory.hosts) >= _MANY_HOSTS:
            gc.freeze()
        if enabled:
            gc.enable()
