# SPDX-License-Identifier: GPL-3.0-or-later
"""A realm in place of the library gssapi: it makes tickets for accounts that it knows, as the real one is seen to do."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class GSSError(Exception):
    pass


class Realm:
    """Stands for the module gssapi. Keytabs are files that hold names of principals, one a line."""

    exceptions = SimpleNamespace(GSSError=GSSError)
    NameType = SimpleNamespace(kerberos_principal="principal")
    MechType = SimpleNamespace(kerberos="krb5")
    RequirementFlag = SimpleNamespace(integrity=32)

    def __init__(self, *principals: str) -> None:
        self.principals = set(principals)
        # what the next call says in place of an answer
        self.fails: str | None = None
        self.flags, self.mech, self.complete = 32, "krb5", True
        self.used: set[bytes] = set()
        self.stores: list[dict[str, str]] = []

    def Name(self, text: str, form: str) -> str:
        assert form == "principal"
        return text

    def Credentials(self, name: str, usage: str, mechs: list[str], store: dict[str, str]) -> Any:
        assert mechs == ["krb5"]
        self.stores.append(store)
        file = store["client_keytab" if usage == "initiate" else "keytab"].removeprefix("FILE:")
        if name not in Path(file).read_text().split():
            if usage == "initiate":
                raise GSSError("Major (458752): No credentials, Minor (1): No credentials cache found")
            raise GSSError(f"Major (458752): No credentials, Minor (39756033): No key table entry found for {name}")
        return SimpleNamespace(name=name)

    def SecurityContext(self, **options: Any) -> Any:
        return Context(self, **options)


class Context:
    def __init__(
        self, realm: Realm, creds: Any, usage: str, name: str = "", mech: str = "krb5", flags: int = 0
    ) -> None:
        self.realm, self.creds, self.usage, self.service, self.flags = realm, creds, usage, name, flags
        self.complete, self.initiator_name, self.key = False, "", b""
        self.mech, self.actual_flags = realm.mech, realm.flags

    def step(self, token: bytes | None = None) -> bytes | None:
        if self.realm.fails is not None:
            raise GSSError(f"Major (851968): Unspecified GSS failure, Minor (1): {self.realm.fails}")
        self.complete = self.realm.complete
        if self.usage == "initiate":
            if self.service not in self.realm.principals:
                raise GSSError(f"Minor (7): Server {self.service} not found in Kerberos database")
            assert self.flags == 32
            number = len(self.realm.stores)
            made = json.dumps({"from": self.creds.name, "to": self.service, "number": number}).encode()
            self.key = hashlib.sha256(made).digest()
            return made
        try:
            ticket = json.loads(token or b"")
        except ValueError as error:
            raise GSSError("Major (589824): Invalid token was supplied, Minor (0): Unknown error") from error
        if ticket["to"] != self.creds.name:
            raise GSSError(f"Minor (1): Request ticket server {ticket['to']} not found in keytab (ticket kvno 2)")
        if (token or b"") in self.realm.used:
            raise GSSError("Major (1310722): The token was a duplicate, Minor (34): Request is a replay")
        self.realm.used.add(token or b"")
        self.initiator_name, self.key = ticket["from"], hashlib.sha256(token or b"").digest()
        return None

    def get_signature(self, data: bytes) -> bytes:
        return hmac.new(self.key, data, hashlib.sha256).digest()

    def verify_signature(self, data: bytes, signature: bytes) -> None:
        if not hmac.compare_digest(self.get_signature(data), signature):
            raise GSSError("Major (393216): A token had an invalid MIC, Minor (0): Unknown error")
