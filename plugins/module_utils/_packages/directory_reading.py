# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the computers and groups of a directory: two searches, in pages, for the whole estate. Runs on the controller."""

from __future__ import annotations

import re
import signal
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from .._common import atomic
from .._common.errors import BadInput, BocageError
from . import ldap_library as ldap
from .directory import Entry

COMPUTERS = "(|(objectClass=computer)(objectClass=device))"
GROUPS = "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))"
PAGE = 500
MAX_ENTRIES = 100_000
MAX_VALUES = 1_000_000
_MAX_PASSWORD = 4096
_PAGED = "1.2.840.113556.1.4.319"
_URL = re.compile(r"(ldaps?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?/?")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_PORTS = {"ldap": 389, "ldaps": 636}
# Parts of Active Directory that each search from the top of a domain refers to, and that hold no computers of hosts.
_OTHER_PARTITIONS = ("cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,")
_MAX_REFERRALS = 10


@dataclass(frozen=True)
class Source:
    """Where the directory is and whom it is asked as; nothing is said without TLS."""

    url: str
    ca_file: Path
    computers_base: str
    groups_base: str = ""
    """Empty where no groups are read."""
    bind_dn: str = ""
    """Empty for whoever need not say who he is."""
    password_file: Path | None = None
    computers_filter: str = COMPUTERS
    groups_filter: str = GROUPS
    computer_attribute: str = "cn"
    group_attribute: str = "cn"
    timeout_seconds: int = 10
    total_seconds: int = 300


@dataclass
class _Asked:
    """What came so far of all searches, and when they have to be over."""

    deadline: float
    entries: int = 0
    values: int = 0
    referrals: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Found:
    computers: list[Entry] = field(default_factory=list)
    groups: list[Entry] = field(default_factory=list)
    problems: tuple[str, ...] = ()


def read(source: Source) -> Found:
    """Raises BocageError where the directory does not answer in full: half of an answer is none."""
    where = f"The directory {source.url}"
    asked = _Asked(time.monotonic() + source.total_seconds)
    try:
        with _ended_after(source.total_seconds), _connected(source, where) as connection:
            attributes = [source.computer_attribute, "memberOf"]
            found = _search(connection, source.computers_base, source.computers_filter, attributes, asked, where)
            computers = [_entry(dn, values, source.computer_attribute) for dn, values in found]
            groups: list[Entry] = []
            if source.groups_base:
                attributes = [source.group_attribute, "member", "uniqueMember", "memberOf"]
                found = _search(connection, source.groups_base, source.groups_filter, attributes, asked, where)
                groups = [_entry(dn, values, source.group_attribute) for dn, values in found]
            return Found(computers, groups, _referrals(asked, where))
    except ldap.LDAPInvalidFilterError as error:
        raise BadInput(f"{where} is asked with a filter that cannot be used: {_words(error)}.") from error
    # the library meets bytes that are no message with whatever they lead to
    except (ldap.LDAPException, OSError, ValueError, LookupError, TypeError) as error:
        late = time.monotonic() >= asked.deadline
        why = f"it takes longer than {source.total_seconds} seconds" if late else _words(error)
        raise BocageError(f"{where} does not answer as it should: {why}; hosts keep what they had.") from error


@contextmanager
def _ended_after(seconds: int) -> Iterator[None]:
    """Ends also an answer of which each piece comes soon enough; only the main thread, as a module is one, can be ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: object) -> NoReturn:
        raise TimeoutError("too late")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _connected(source: Source, where: str) -> ldap.Connection:
    match = _URL.fullmatch(source.url)
    if match is None or not 0 < int(match[3] or _PORTS[match[1]]) < 65536:
        raise BadInput(f"The address {source.url[:120]!a} is none of a directory; write ldap://NAME or ldaps://NAME.")
    if not source.ca_file.is_file():
        raise BadInput(f"{where} cannot be believed: the authority {source.ca_file} is missing.")
    for name in (source.computer_attribute, source.group_attribute):
        if not _ATTRIBUTE.fullmatch(name):
            raise BadInput(f"{name[:60]!a} is no attribute of a directory.")
    password = _password(source)
    host = match[2].strip("[]")
    tls = ldap.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(source.ca_file), sni=host)
    server = ldap.Server(
        host,
        int(match[3] or _PORTS[match[1]]),
        use_ssl=match[1] == "ldaps",
        tls=tls,
        get_info=ldap.NONE,
        connect_timeout=source.timeout_seconds,
    )
    connection = ldap.Connection(
        server,
        user=source.bind_dn or None,
        password=password,
        # a referral would take the password to whoever is named there
        auto_referrals=False,
        check_names=False,
        read_only=True,
        raise_exceptions=True,
        receive_timeout=source.timeout_seconds,
    )
    connection.open(read_server_info=False)
    if match[1] == "ldap":
        connection.start_tls(read_server_info=False)
    if not connection.bind(read_server_info=False):
        raise BocageError(f"{where} refuses {source.bind_dn or 'whoever has no name'}; hosts keep what they had.")
    return connection


def _password(source: Source) -> str | None:
    if not source.bind_dn:
        return None
    if source.password_file is None:
        raise BadInput(f"{source.bind_dn} has no password; name its file, or no bind_dn.")
    try:
        if source.password_file.stat().st_mode & 0o077:
            raise BadInput(f"Others can read the password {source.password_file}; set its mode to 0600.")
        text = atomic.read_bounded(source.password_file, _MAX_PASSWORD).decode().rstrip("\r\n")
    except OSError as error:
        raise BadInput(f"The password {source.password_file} cannot be read: {error.strerror}.") from error
    if not text:
        # a name without a password is let in as nobody (RFC 4513, 5.1.2)
        raise BadInput(f"The password {source.password_file} is empty.")
    return text


def _search(
    connection: ldap.Connection, base: str, text: str, attributes: list[str], asked: _Asked, where: str
) -> Iterator[tuple[str, Mapping[str, list[str]]]]:
    cookie: bytes | None = None
    while True:
        connection.search(base, text, ldap.SUBTREE, attributes=attributes, paged_size=PAGE, paged_cookie=cookie)
        result = connection.result
        if result["result"] != 0:
            raise BocageError(
                f"{where} does not tell all below {base}: {result['description']}; hosts keep what they had."
            )
        for one in connection.response or []:
            if one.get("type") == "searchResRef":
                asked.referrals |= set(one["uri"])
            if one.get("type") != "searchResEntry":
                continue
            values = {name.lower(): [raw.decode() for raw in found] for name, found in one["raw_attributes"].items()}
            asked.entries += 1
            asked.values += sum(map(len, values.values()))
            if asked.entries > MAX_ENTRIES or asked.values > MAX_VALUES:
                raise BocageError(f"{where} tells of more than {MAX_ENTRIES} entries; name smaller bases or filters.")
            if any(";range=" in name for name in values):
                raise BocageError(f"{where} tells only a part of {one['dn'][:120]!a}; hosts keep what they had.")
            yield one["dn"], values
        if time.monotonic() >= asked.deadline:
            raise TimeoutError("too late")
        cookie = (result.get("controls") or {}).get(_PAGED, {}).get("value", {}).get("cookie")
        if not cookie:
            return


def _referrals(asked: _Asked, where: str) -> tuple[str, ...]:
    """One sentence where some of what was asked for lies in other directories, which nobody follows."""
    places = {unquote(urlsplit(one).path).lstrip("/") for one in asked.referrals}
    others = sorted(one for one in places if not one.lower().startswith(_OTHER_PARTITIONS))
    if not others:
        return ()
    names = ", ".join(ascii(one)[1:-1][:120] or "another directory" for one in others[:_MAX_REFERRALS])
    more = f" and {len(others) - _MAX_REFERRALS} more" if len(others) > _MAX_REFERRALS else ""
    return (f"{where} refers to others for {names}{more}; what is there was not read.",)


def _entry(dn: str, values: Mapping[str, list[str]], attribute: str) -> Entry:
    return Entry(
        dn=dn,
        names=tuple(values.get(attribute.lower(), ())),
        members=(*values.get("member", ()), *values.get("uniquemember", ())),
        member_of=tuple(values.get("memberof", ())),
    )


def _words(error: Exception) -> str:
    if isinstance(error, ldap.LDAPOperationResult):
        return " ".join(f"{error.description} {error.message or ''}".split())[:200].rstrip(".")
    if isinstance(error, LookupError | TypeError):
        return "what it says is no message of LDAP"
    text = " ".join(str(error).split()).strip("(),'")
    if "doesn't match any name" in text:
        return "its certificate is for another name"
    return text[:200].rstrip(".") or type(error).__name__
