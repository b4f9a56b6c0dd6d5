# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters in the Prometheus text form."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

_GAUGES = {
    "enrolled": ("bocage_registry_hosts_enrolled", "Hosts with an enrolment, revoked ones included."),
    "reported": ("bocage_registry_hosts_reported", "Hosts with at least one report in their generation."),
    "revoked": ("bocage_registry_hosts_revoked", "Hosts whose enrolment was revoked."),
    "forked": ("bocage_registry_hosts_forked", "Hosts with proof that two machines speak with one key."),
    "waiting": ("bocage_registry_hosts_waiting", "Hosts that wait for an action at this moment."),
    "kept_reports": ("bocage_registry_reports_kept", "Reports in the history."),
}


class Metrics:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str]] = Counter()

    def count(self, document: str, outcome: str) -> None:
        """One document came in: `outcome` is accepted, duplicate or the code of a refusal."""
        with self._lock:
            self._answers[document, outcome] += 1

    def text(self, counts: Mapping[str, int]) -> str:
        lines = [
            "# HELP bocage_registry_documents_total Documents that hosts sent, by kind and outcome.",
            "# TYPE bocage_registry_documents_total counter",
        ]
        with self._lock:
            answers = sorted(self._answers.items())
        for (document, outcome), number in answers:
            lines.append(f'bocage_registry_documents_total{{document="{document}",outcome="{outcome}"}} {number}')
        for name, (metric, explanation) in _GAUGES.items():
            lines += [f"# HELP {metric} {explanation}", f"# TYPE {metric} gauge", f"{metric} {counts[name]}"]
        return "\n".join(lines) + "\n"
