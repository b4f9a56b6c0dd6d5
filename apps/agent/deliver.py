# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivering the spool: in order, each report until the registry says that it has it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from bocage_core._common import atomic
from bocage_core._common.errors import BocageError
from bocage_core._state.enrolment import MAX_ENROLMENT_BYTES

from .commands import sentence
from .settings import Settings
from .spool import Spool, number_of

# Answers that no repetition changes: the registry has it or has gone on without it, or will never take it.
_KNOWN = {"replayed", "old_counter", "old_generation"}
_HOPELESS = {"forked", "malformed", "oversized", "wrong_type"}
# Answers that an enrolment, posted by the host itself, can change.
_ENROL_FIRST = {"unknown_host", "unknown_generation", "bad_signature"}
_MAX_ANSWER_BYTES = 65536
# some actions of the largest size
_MAX_PAGE_BYTES = 512 * 1024
_SPOOLED = "the reports stay in the spool and are sent again later"

Log = Callable[[str], None]


@dataclass
class Delivery:
    """What became of the spool."""

    delivered: int = 0
    dropped: int = 0
    problem: str | None = None
    accepted_counter: int | None = None
    """The last report that the registry has now."""
    refused: bool = False
    """Whether the registry itself answered that it does not take a report."""


@dataclass(frozen=True)
class Answer:
    status: int
    document: dict[str, Any]

    @property
    def code(self) -> str | None:
        code = self.document.get("code")
        return code if isinstance(code, str) else None

    @property
    def sentence(self) -> str:
        error = self.document.get("error")
        return sentence(error) if isinstance(error, str) else f"it answered with status {self.status}"


class Unreachable(BocageError):
    """The registry did not answer; a matter of the network and no fault of this host."""


class Client:
    """Speaks to the registry: TLS with the estate's authority pinned, no proxies, no other trust."""

    def __init__(self, settings: Settings) -> None:
        address = urlsplit(settings.registry_url)
        name = address.hostname or ""
        host = settings.registry_address or name
        self._name = name
        self._seconds = settings.request_timeout_seconds
        self._base = f"https://{f'[{host}]' if ':' in host else host}:{address.port or 443}"
        try:
            context = ssl.create_default_context(cafile=str(settings.ca_file))
        except OSError as error:
            raise BocageError(
                f"The estate's certificate {settings.ca_file} cannot be used: {error.strerror or error}; run the role"
                " agent."
            ) from error
        self._client = httpx.Client(
            verify=context,
            trust_env=False,
            timeout=settings.request_timeout_seconds,
            headers={"Host": address.netloc, "Content-Type": "application/json"},
        )

    def post(self, path: str, body: bytes) -> Answer:
        return self._ask("POST", path, _MAX_ANSWER_BYTES, content=body)

    def get(self, path: str, authorization: str, seconds: int) -> Answer:
        """Ask for what may take so many seconds to come."""
        timeout = httpx.Timeout(self._seconds, read=self._seconds + seconds)
        return self._ask("GET", path, _MAX_PAGE_BYTES, headers={"Authorization": authorization}, timeout=timeout)

    def _ask(self, method: str, path: str, most: int, **options: Any) -> Answer:
        url = f"{self._base}{path}"
        try:
            # Whatever address is connected to, the certificate has to bear the registry's name.
            with self._client.stream(method, url, extensions={"sni_hostname": self._name}, **options) as response:
                return Answer(response.status_code, _document(response, most))
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._base} does not answer as {self._name}: {sentence(str(error))}") from error

    def close(self) -> None:
        self._client.close()


def deliver(settings: Settings, spool: Spool, log: Log) -> Delivery:
    """Send what is spooled, oldest first, until all is delivered or the registry cannot take more now."""
    result = Delivery()
    files = spool.files()
    if not files:
        return result
    client = Client(settings)
    told: set[str] = set()
    enrolled = False
    try:
        for path in files:
            number = number_of(path)
            body = spool.read(path)
            answer = client.post("/v1/reports", body)
            if answer.code in _ENROL_FIRST and not enrolled:
                enrolled = True
                answer = _enrol(settings, client, answer, log) or client.post("/v1/reports", body)
            if answer.status == 200:
                spool.remove(path)
                result.delivered += 1
                result.accepted_counter = number
                for warning in _warnings(answer, told):
                    log(f"The registry says: {warning}")
            elif answer.code in _KNOWN:
                spool.remove(path)
                result.dropped += 1
                if answer.code == "replayed":
                    # it has this one, and only its answer was lost
                    result.accepted_counter = number
                log(f"Report {number} is dropped, the registry is past it: {answer.sentence}")
            elif answer.code in _HOPELESS:
                spool.remove(path)
                result.dropped += 1
                result.problem, result.refused = answer.sentence, True
                log(f"Report {number} is dropped, the registry will never take it: {answer.sentence}")
            else:
                # without a code it is something in between that answers, as where the registry is away
                result.problem, result.refused = answer.sentence, answer.code is not None
                log(f"The registry does not take report {number}, {_SPOOLED}: {answer.sentence}")
                break
    except Unreachable as error:
        result.problem = str(error)
        log(f"The registry cannot be reached, {_SPOOLED}: {error}")
    finally:
        client.close()
    return result


def _enrol(settings: Settings, client: Client, refused: Answer, log: Log) -> Answer | None:
    """Show the registry this host's own enrolment, as after a loss of its database; None when it took it."""
    answer = client.post("/v1/enrolments", atomic.read_bounded(settings.enrolment_file, MAX_ENROLMENT_BYTES))
    if answer.status == 200:
        log("The registry did not know this host and was sent its enrolment.")
        return None
    log(f"The registry does not take this host's enrolment: {answer.sentence}")
    return answer if answer.code is not None else refused


def _document(response: httpx.Response, most: int) -> dict[str, Any]:
    """The answer as an object; from something in between that is no registry, an empty one."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > most:
            return {}
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _warnings(answer: Answer, told: set[str]) -> list[str]:
    warnings = answer.document.get("warnings")
    fresh = [sentence(one) for one in warnings if isinstance(one, str)] if isinstance(warnings, list) else []
    fresh = [one for one in fresh if one not in told]
    told.update(fresh)
    return fresh
