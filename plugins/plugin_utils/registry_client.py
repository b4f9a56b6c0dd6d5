# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a registry for what changed. Its answers are data to be verified, whatever its certificate says."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError

try:
    import httpx
except ImportError:
    # whoever makes a client is told; the documentation can be read without it
    httpx = None  # type: ignore[assignment]

# Large pages: each costs a round trip through the tunnel.
PAGE = 2000
# A page of the largest reports; a registry must not fill the controller's memory.
MAX_ANSWER_BYTES = 512 * 1024 * 1024
MAX_PAGES = 10_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class RegistryFailed(BocageError):
    """The registry did not answer, or not in its own words."""


class ActionRefused(BocageError):
    """The registry answered that it does not hand an action on."""


@dataclass(frozen=True)
class Page:
    hosts: list[Any]
    cursor: str


class RegistryClient:
    """One connection to a registry, by TLS with the estate's own certification authority."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        ca_file: Path | None = None,
        address: str | None = None,
        socket: Path | None = None,
        timeout_seconds: float = 10,
    ) -> None:
        check_url(url)
        if httpx is None:
            raise BadInput(
                "The Python library httpx is missing on the controller; install what requirements/runtime.in of"
                " bocage.fleet lists."
            )
        self._url = httpx.URL(url)
        self._requests = 0
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "bocage-inventory"}
        self._extensions: dict[str, str] = {}
        base = self._url
        if address is not None and socket is None:
            # Connect to an address, but ask for the name and verify the certificate against the name.
            base = base.copy_with(host=address)
            headers["Host"] = self._url.netloc.decode()
            self._extensions["sni_hostname"] = self._url.host
        try:
            verify = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise BadInput(f"The certificate authority in {ca_file} cannot be used: {error}.") from error
        # Proxies of the environment are for the Internet, not for the overlay.
        transport = httpx.HTTPTransport(verify=verify, uds=None if socket is None else str(socket))
        self._client = httpx.Client(
            transport=transport, base_url=base, headers=headers, timeout=timeout_seconds, trust_env=False
        )

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def requests(self) -> int:
        return self._requests

    def changes(self, since: str | None) -> Iterator[Page]:
        """Pages of the hosts that changed after a cursor."""
        for _count in range(MAX_PAGES):
            parameters: dict[str, str | int] = {"limit": PAGE}
            if since is not None:
                parameters["since"] = since
            answer = self._ask("/v1/hosts", parameters) or {}
            hosts, cursor, more = answer.get("hosts"), answer.get("cursor"), answer.get("more")
            if not isinstance(hosts, list) or not isinstance(cursor, str) or not isinstance(more, bool):
                raise RegistryFailed(f"The registry {self._url} answered with something that is not a page of hosts.")
            yield Page(hosts, cursor)
            if not more:
                return
            if cursor == since:
                break
            since = cursor
        raise RegistryFailed(f"The registry {self._url} never came to the end of its list.")

    def history(self, host_id: str, before: int | None) -> Mapping[str, Any] | None:
        """A page of a host's history, or None where the registry does not know the host."""
        parameters = {} if before is None else {"before": before}
        return self._ask(f"/v1/hosts/{host_id}/history", parameters, absent=True)

    def send_action(self, envelope: bytes) -> dict[str, Any]:
        """Hand over an action; the answer has `nonce`, `hosts`, `unknown` and `duplicate`."""
        status, body = self._exchange("POST", "/v1/actions", content=envelope)
        answer = self._object("/v1/actions", body)
        if status != 200:
            said = answer.get("error")
            raise ActionRefused(f"The registry {self._url} does not take the action: {str(said)[:300]}")
        return answer

    def _ask(self, path: str, parameters: Mapping[str, str | int], *, absent: bool = False) -> dict[str, Any] | None:
        status, body = self._exchange("GET", path, params=dict(parameters))
        if status == 401:
            raise RegistryFailed(f"The registry {self._url} does not know the token in token_file.")
        if status == 404 and absent:
            return None
        if status != 200:
            raise RegistryFailed(f"The registry {self._url} answered {path} with status {status}.")
        return self._object(path, body)

    def _exchange(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        self._requests += 1
        try:
            with self._client.stream(method, path, extensions=self._extensions, **options) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        raise RegistryFailed(f"The answer of the registry {self._url} has no end.")
                return response.status_code, bytes(body)
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise RegistryFailed(f"The registry {self._url} did not answer: {_words(error)}.") from error

    def _object(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise RegistryFailed(
                f"The registry {self._url} answered {path} with something that is not JSON."
            ) from error
        if not isinstance(answer, dict):
            raise RegistryFailed(f"What the registry {self._url} answered to {path} is not an object.")
        return answer


def check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    # Plain HTTP carries the token in clear, so it stays on this machine.
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    raise BadInput(f"The registry_url {url} must begin with https:// and hold a name.")


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
