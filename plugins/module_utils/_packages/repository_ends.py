# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When what a repository holds ends, who has to renew it, and how long before somebody is told; pure, with few imports.

Metadata of TUF, lists of revoked certificates, and certificates of authorities and signers. The publisher writes the ends
beside what it serves (`render`), and the agent of that host reads them (`parse`): they are times, so that an alert comes
also where nothing runs any more that could write it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from .._common import canonical, fields, timestamps

# A snapshot lasts over a weekend of four days on which the publisher stands still; people get ten days, which are at
# least four working ones, to sign lists, and two months for a root.
RENEW_TIMESTAMP = timedelta(hours=18)
ALERT_TIMESTAMP = timedelta(hours=12)
RENEW_SNAPSHOT = timedelta(days=5)
ALERT_SNAPSHOT = timedelta(days=4)
RENEW_LIST = timedelta(days=14)
ALERT_LIST = timedelta(days=10)
RENEW_ROOT = timedelta(days=90)
ALERT_ROOT = timedelta(days=60)
# Of what is made to last less than three times as long, the last third: short ones are short on purpose.
RENEW_X509 = timedelta(days=60)
ALERT_CRL = timedelta(days=10)
ALERT_CERTIFICATE = timedelta(days=30)

FILE = "ends.json"
MAX_BYTES = 512 * 1024
MAX_ENDS = 2048
KINDS = ("metadata", "crl", "certificate", "unreadable")
SIGNED_BY = ("publisher", "holders")
STATES = ("good", "renew", "alert", "expired")
_FORMAT = 1
_SPECIAL = ("root", "snapshot", "timestamp")
_BEGINNING = timestamps.parse("1970-01-01T00:00:00Z", "the beginning of time")
_MARGINS = {
    "root": (RENEW_ROOT, ALERT_ROOT),
    "timestamp": (RENEW_TIMESTAMP, ALERT_TIMESTAMP),
    "snapshot": (RENEW_SNAPSHOT, ALERT_SNAPSHOT),
}
_DOCUMENT = frozenset({"format", "ends"})
_FIELDS = frozenset({"name", "kind", "version", "ends_at", "renew_at", "alert_at", "signed_by"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class End:
    """Of one file or certificate."""

    name: str
    """The role of metadata, the path of a target, or whose certificate it is."""
    kind: Literal["metadata", "crl", "certificate", "unreadable"]
    version: int
    """Of metadata; 0 of all else."""
    ends_at: datetime
    renew_at: datetime
    alert_at: datetime
    signed_by: Literal["publisher", "holders"]


def of_metadata(role: str, version: int, expires: datetime) -> End:
    """Of a file of TUF's metadata; snapshot and timestamp are signed without a person."""
    renew, alert = _MARGINS.get(role, (RENEW_LIST, ALERT_LIST))
    by: Literal["publisher", "holders"] = "publisher" if role in ("snapshot", "timestamp") else "holders"
    return End(role, "metadata", version, expires, expires - renew, expires - alert, by)


def of_crl(name: str, made: datetime, replaced: datetime | None) -> End:
    """Of a list of revoked certificates; hosts take none that does not say when it is replaced."""
    if replaced is None:
        return unreadable(name)
    return _of_x509(name, "crl", made, replaced, ALERT_CRL)


def of_certificate(name: str, begins: datetime, ends: datetime) -> End:
    return _of_x509(name, "certificate", begins, ends, ALERT_CERTIFICATE)


def unreadable(name: str) -> End:
    """Of a file that hosts cannot use, so that it is as good as ended."""
    return End(name, "unreadable", 0, _BEGINNING, _BEGINNING, _BEGINNING, "holders")


def _of_x509(name: str, kind: Literal["crl", "certificate"], begins: datetime, ends: datetime, alert: timedelta) -> End:
    third = max((ends - begins) / 3, timedelta(0))
    return End(name, kind, 0, ends, ends - min(RENEW_X509, third), ends - min(alert, third), "holders")


def state_of(end: End, now: datetime) -> str:
    """One of STATES: good, renew (sign at the next occasion), alert (sign now, before a long weekend) or expired."""
    if now >= end.ends_at:
        return "expired"
    if now >= end.alert_at:
        return "alert"
    return "renew" if now >= end.renew_at else "good"


def judged(ends: Iterable[End], now: datetime) -> list[dict[str, Any]]:
    """All ends as plain data, the most urgent first.

    `signed_by` says whose turn it is: the publisher, or holders of keys.
    """
    found = [
        {
            "role": one.name,
            "kind": one.kind,
            "version": one.version,
            "expires": timestamps.write(one.ends_at),
            "seconds_left": int((one.ends_at - now).total_seconds()),
            "state": state_of(one, now),
            "signed_by": one.signed_by,
        }
        for one in ends
    ]
    return sorted(found, key=lambda one: one["seconds_left"])


def stops_hosts(one: Mapping[str, Any]) -> bool:
    """Whether hosts take nothing new because of this entry of `judged`; a certificate's end stops what it signed."""
    return bool(one["state"] == "expired" and one["kind"] != "certificate")


def sentence(one: Mapping[str, Any]) -> str:
    """What an entry of `judged` that is in alert or expired asks for, as a clause without a full stop."""
    name, at, over = one["role"], one["expires"], one["state"] == "expired"
    when = f"ended at {at}" if over else f"ends at {at}"
    before = "" if over else " before"
    if one["kind"] == "unreadable":
        return f"the file {name} cannot be used by any host; publish a good one in its place"
    if one["kind"] == "crl":
        return f"the list of revoked certificates {name} {when}, and a new one has to be published{before}"
    if one["kind"] == "certificate":
        return f"the certificate {name} {when}, and what it signed has to be signed with a new one{before}"
    by = "the publisher" if one["signed_by"] == "publisher" else "its holders"
    what = f"the {name}" if name in _SPECIAL else f"the list {name}"
    return f"{what} {when} and has to be signed by {by}{before}"


def render(ends: Iterable[End]) -> bytes:
    """The file for the agent of the host; the same bytes for the same ends."""
    first = sorted(ends, key=lambda one: (one.ends_at, one.name))[:MAX_ENDS]
    document = {
        "format": _FORMAT,
        "ends": [
            {
                "name": one.name,
                "kind": one.kind,
                "version": one.version,
                "ends_at": timestamps.write(one.ends_at),
                "renew_at": timestamps.write(one.renew_at),
                "alert_at": timestamps.write(one.alert_at),
                "signed_by": one.signed_by,
            }
            for one in first
        ],
    }
    return canonical.dumps(document)


def parse(raw: bytes, what: str) -> list[End]:
    """What `render` wrote, by a user who is not the reader's: everything is looked at. Raises Refused."""
    document = fields.record(canonical.loads(raw, what), what)
    fields.only(document, _DOCUMENT, _NONE, what)
    entries = document["ends"]
    if document["format"] != _FORMAT or not isinstance(entries, list) or len(entries) > MAX_ENDS:
        raise fields.malformed(what, f"has not the form {_FORMAT} with a list of at most {MAX_ENDS} ends")
    return [_parsed(fields.record(one, f"an end in {what}"), f"an end in {what}") for one in entries]


def _parsed(entry: dict[str, Any], what: str) -> End:
    fields.only(entry, _FIELDS, _NONE, what)
    if entry["kind"] not in KINDS or entry["signed_by"] not in SIGNED_BY:
        raise fields.malformed(what, "is of an unknown kind, or to be signed by nobody who is known")
    moments = {name: timestamps.parse(entry[name], f"{name} of {what}") for name in ("ends_at", "renew_at", "alert_at")}
    return End(
        name=fields.text(entry, "name", what),
        kind=entry["kind"],
        version=fields.integer(entry, "version", what),
        ends_at=moments["ends_at"],
        renew_at=moments["renew_at"],
        alert_at=moments["alert_at"],
        signed_by=entry["signed_by"],
    )
