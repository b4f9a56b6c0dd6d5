# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of signed documents in a registry's place, for offline use.

A file holds one envelope, or a page as the registry gives it out (`GET /v1/hosts`). Whose report an envelope is, is
told by the key that it names; the signature decides later whether that is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, canonical, dsse
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError, Untrusted
from ansible_collections.bocage.fleet.plugins.module_utils._state import enrolment as enrolments
from ansible_collections.bocage.fleet.plugins.module_utils._state import report as reports
from ansible_collections.bocage.fleet.plugins.module_utils._state.enrolment import Enrolment
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_documents import Documents, read_row
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_verify import Verifier, spelling

MAX_FILE_BYTES = 1024 * 1024 * 1024


@dataclass
class FolderContent:
    documents: dict[str, Documents] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def of(self, host_id: str) -> Documents:
        return self.documents.setdefault(host_id, Documents(host_id))

    def merge(self, other: Documents) -> None:
        own = self.documents.setdefault(other.host_id, other)
        if own is not other:
            own.enrolments += other.enrolments
            own.reports += other.reports
            own.fork = own.fork or other.fork
            # Of several copies the youngest note counts; it never makes a report younger than its own time.
            own.received_at = max(filter(None, (own.received_at, other.received_at)), default=None)


def read_folder(folder: Path, key: bytes, known: Iterable[Enrolment], verifier: Verifier) -> FolderContent:
    """Everything in the folder's JSON files; a file that holds nothing usable becomes a problem with its name."""
    if not folder.is_dir():
        raise BadInput(f"The folder of reports {folder} is missing; create it or correct the option reports.")
    content = FolderContent()
    signed: list[tuple[Path, dict[str, Any]]] = []
    holders = {dsse.key_id(one.report_key): one.host_id for one in known}
    for path in sorted(folder.glob("*.json")):
        try:
            document = canonical.loads(atomic.read_bounded(path, MAX_FILE_BYTES), f"the file {path}")
            kind = document.get("payloadType") if isinstance(document, dict) else None
            if kind == reports.PAYLOAD_TYPE:
                signed.append((path, document))
            elif kind == enrolments.PAYLOAD_TYPE:
                raw = spelling(document)
                one = verifier.enrolment(raw, key, f"the file {path}")
                holders[dsse.key_id(one.report_key)] = one.host_id
                content.of(one.host_id).enrolments.append(raw)
            else:
                _read_page(document, path, content)
        except (BocageError, OSError) as error:
            content.problems.append(str(error))
    for path, envelope in signed:
        _assign(path, envelope, content, holders)
    return content


def _read_page(document: Any, path: Path, content: FolderContent) -> None:
    hosts = document.get("hosts") if isinstance(document, dict) else None
    if not isinstance(hosts, list):
        raise BadInput(f"The file {path} is neither a signed document nor a page of a registry.")
    for row in hosts:
        content.merge(read_row(row))


def _assign(path: Path, envelope: Mapping[str, Any], content: FolderContent, holders: Mapping[str, str]) -> None:
    what = f"the file {path}"
    try:
        for name in dsse.signer_key_ids(envelope, what):
            if name in holders:
                content.of(holders[name]).reports.append(spelling(envelope))
                return
    except Untrusted as error:
        content.problems.append(str(error))
        return
    content.problems.append(f"The report in {path} is signed with a key that is not enrolled.")
