#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Try what users of a host would try
version_added: 0.1.0
description:
  - Runs pings, opens pages and resolves names on a host, all at once, and tells which behaved as they should. Changes
    nothing, and fails only where a probe could not be made.
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
    support: full
options:
  probes:
    description: What to try.
    type: list
    elements: dict
    required: true
    suboptions:
      proof:
        description: Name of the proof that the probe belongs to.
        type: str
        required: true
      kind:
        description: What to do.
        type: str
        choices: [ping, page, resolve]
        required: true
      target:
        description: Address, URL or name.
        type: str
        required: true
      reach:
        description: Whether it must work.
        type: bool
        required: true
      about:
        description: The probe in words.
        type: str
        required: true
      expect:
        description: Text that the page contains, or addresses that the name has.
        type: list
        elements: str
        default: []
  timeout_seconds:
    description: How long to wait for an answer.
    type: int
    default: 3
  attempts:
    description: How often a probe that must work is tried.
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Open the page of the business server
  bocage.fleet.probe:
    probes:
      - proof: pages
        kind: page
        target: http://erp1.lyon.demo.internal/
        reach: true
        about: tele1 opens the page of erp1
        expect: [Business server]
"""

RETURN = r"""
results:
  description: The probes, each with C(reached), C(passed) and C(seconds).
  type: list
  elements: dict
  returned: success
"""

import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

PROBE = {
    "proof": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["ping", "page", "resolve"], "required": True},
    "target": {"type": "str", "required": True},
    "reach": {"type": "bool", "required": True},
    "about": {"type": "str", "required": True},
    "expect": {"type": "list", "elements": "str", "default": []},
}


def ping(probe: dict, timeout: int) -> bool:
    done = subprocess.run(
        ["ping", "-n", "-c", "1", "-W", str(timeout), probe["target"]], capture_output=True, check=False
    )
    # 2 is an error of ping itself where the network did not refuse it
    if done.returncode == 2 and b"nreachable" not in done.stderr and b"not permitted" not in done.stderr:
        raise RuntimeError(done.stderr.decode(errors="replace").strip())
    return done.returncode == 0


def name_of_server(url: str) -> str:
    try:
        parts = urlsplit(url)
        # reading the port checks it
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise RuntimeError(f"{url} is no address of a page.")
    return str(parts.hostname)


def page(probe: dict, timeout: int) -> bool:
    # the resolver of the C library knows no short timeout of its own
    if not lookup(name_of_server(probe["target"]), timeout):
        return False
    # no proxy: it would answer for a path that the host itself does not have
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(probe["target"], timeout=timeout) as answer:
            body = answer.read(1 << 20).decode(errors="replace")
    except (OSError, HTTPException):
        return False
    return all(text in body for text in probe["expect"])


def lookup(name: str, timeout: int) -> set[str]:
    """Addresses of a name as programs of the host get them (getent(1)); none where it takes too long."""
    try:
        done = subprocess.run(["getent", "ahosts", name], capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return set()
    return {line.split()[0] for line in done.stdout.splitlines() if line}


def resolve(probe: dict, timeout: int) -> bool:
    found = lookup(probe["target"], timeout)
    return found == set(probe["expect"]) if probe["expect"] else bool(found)


KINDS = {"ping": ping, "page": page, "resolve": resolve}


def attempt(probe: dict, timeout: int, attempts: int) -> dict:
    started = time.monotonic()
    reached = False
    for _unused in range(attempts if probe["reach"] else 1):
        reached = KINDS[probe["kind"]](probe, timeout)
        if reached:
            break
    return {
        **probe,
        "reached": reached,
        "passed": reached == probe["reach"],
        "seconds": round(time.monotonic() - started, 3),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "probes": {"type": "list", "elements": "dict", "required": True, "options": PROBE},
            "timeout_seconds": {"type": "int", "default": 3},
            "attempts": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    timeout, attempts = module.params["timeout_seconds"], module.params["attempts"]
    try:
        with ThreadPoolExecutor(max_workers=16) as pool:
            results = list(pool.map(lambda probe: attempt(probe, timeout, attempts), module.params["probes"]))
    except (OSError, RuntimeError) as error:
        module.fail_json(msg=f"A probe could not be made on this host: {error}")
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
