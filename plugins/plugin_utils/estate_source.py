# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where documents come from: a registry and the cache of what it gave, a host's history, or a folder."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._common.refused import Refused
from ansible_collections.bocage.fleet.plugins.module_utils._state.enrolment import Enrolment
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_documents import (
    Documents,
    read_history,
    read_row,
)
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_verify import Verifier

from .estate_cache import EstateCache
from .estate_settings import EstateSettings
from .ssh_forward import TunnelFailed, forward

MAX_TOKEN_BYTES = 4096


@dataclass
class Offered:
    """What a source offers, and what went wrong on the way."""

    documents: list[Documents] = field(default_factory=list)
    answered: bool = True
    warnings: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    requests: int = 0


def from_folder(settings: EstateSettings, key: bytes, known: Iterable[Enrolment], verifier: Verifier) -> Offered:
    from .report_folder import read_folder

    content = read_folder(cast(Path, settings.reports), key, known, verifier)
    return Offered(list(content.documents.values()), warnings=content.problems)


def from_registry(settings: EstateSettings, cache: EstateCache) -> Offered:
    """The cache, brought up to date with what changed; where the registry is silent, the cache as it is."""
    offered = Offered()
    missing = settings.missing_file()
    if settings.registry_url is None or missing is not None:
        offered.answered = False
        if missing is not None:
            offered.notices.append(f"The registry is not asked, because {missing} is not there yet.")
    else:
        try:
            offered.requests = _update(settings, cache, offered)
        except BadInput:
            raise
        except BocageError as error:
            offered.answered = False
            offered.warnings.append(f"{error} The state of hosts is that of the last answer.")
    offered.documents = cache.documents()
    return offered


def from_history(settings: EstateSettings, host_ids: Iterable[str], until: datetime) -> Offered:
    """What the registry kept of each host; for a past state there is no cache to fall back on."""
    offered = Offered()
    missing = settings.missing_file()
    if settings.registry_url is None or missing is not None:
        wanted = "registry_url or reports" if missing is None else str(missing)
        raise BadInput(f"The option as_of needs a registry or reports to look into, but there is no {wanted}.")
    with open_client(settings) as client:
        for host_id in host_ids:
            documents = _history(client, host_id, until)
            if documents is not None:
                offered.documents.append(documents)
        offered.requests = client.requests
    return offered


def _update(settings: EstateSettings, cache: EstateCache, offered: Offered) -> int:
    token = _token(settings)
    # Another registry or another token sees other hosts, so its list is read from the beginning.
    source = hashlib.sha256(json.dumps([settings.registry_url, token]).encode()).hexdigest()
    with open_client(settings) as client:
        since = cache.cursor(source)
        for page in client.changes(since):
            changed = []
            for row in page.hosts:
                try:
                    changed.append(read_row(row))
                except Refused as error:
                    offered.warnings.append(str(error))
            if changed or page.cursor != since:
                cache.apply(source, page.cursor, changed)
        requests: int = client.requests
    return requests


def _history(client: Any, host_id: str, until: datetime) -> Documents | None:
    """All of a host's history back to `until`."""
    gathered: Documents | None = None
    before: int | None = None
    while True:
        answer = client.history(host_id, before)
        if answer is None:
            return gathered
        page, older = read_history(host_id, answer)
        if gathered is None:
            gathered = page
        else:
            gathered.reports += page.reports
        if older is None or not page.reports or _unverified_moment(page.reports[-1]) <= timestamps.write(until):
            return gathered
        if before is not None and older >= before:
            raise Refused("malformed", f"The registry's history of {host_id} does not come to an end.")
        before = older


def _unverified_moment(raw: bytes) -> str:
    """Only for knowing when to stop asking: a false answer here leaves out what could not be trusted anyway."""
    try:
        return str(json.loads(base64.b64decode(json.loads(raw)["payload"]))["issued_at"])
    except (ValueError, KeyError, TypeError):
        return ""


def _token(settings: EstateSettings) -> str:
    try:
        return atomic.read_bounded(cast(Path, settings.token_file), MAX_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The token in {settings.token_file} cannot be read: {error}.") from error


@contextlib.contextmanager
def open_client(settings: EstateSettings) -> Iterator[Any]:
    # Imported here, because an inventory without a registry should not wait for an HTTP library.
    try:
        from .registry_client import RegistryClient, check_url
    except ImportError as error:
        raise BadInput(
            f"Asking a registry needs the Python library {error.name}; install it beside Ansible."
        ) from error
    url = cast(str, settings.registry_url)
    check_url(url)
    with contextlib.ExitStack() as stack:
        socket = None
        if settings.tunnel is not None:
            parts = urlsplit(url)
            target = settings.registry_address or parts.hostname
            if target is None:
                raise TunnelFailed(f"The registry_url {url} names no host.")
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket = stack.enter_context(forward(settings.tunnel, target, port, settings.timeout_seconds))
        yield stack.enter_context(
            RegistryClient(
                url,
                _token(settings),
                ca_file=settings.ca_file,
                address=settings.registry_address,
                socket=socket,
                timeout_seconds=settings.timeout_seconds,
            )
        )
