# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role tells the agent: one JSON file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical, fields
from bocage_core._common.errors import BadInput, BocageError

DEFAULT_PATH = Path("/etc/bocage/agent.json")
_URL = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_PATH = re.compile(r"/[^\x00]*")
_REQUIRED = frozenset({"registry_url", "ca_file", "key_file", "enrolment_file", "state_directory", "mesh_interface"})
_OPTIONAL = frozenset(
    {
        "registry_address",
        "gateway",
        "request_timeout_seconds",
        "mesh_directory",
        "nftables_directory",
        "seals_directory",
        "seal_public_key_file",
        "actions_file",
        "packages_directory",
        "repository_directory",
    }
)
_GATEWAY = frozenset({"lan_interface"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Settings:
    registry_url: str
    registry_address: str | None
    """Where to connect to when names cannot be resolved yet; the certificate is still that of the URL's name."""
    ca_file: Path
    key_file: Path
    enrolment_file: Path
    state_directory: Path
    mesh_interface: str | None
    mesh_directory: Path
    lan_interface: str | None
    """The LAN side of a gateway; None on every other host."""
    nftables_directory: Path
    request_timeout_seconds: int
    seals_directory: Path
    seal_public_key_file: Path
    """The public half of the key that the controller signs seals with."""
    actions_file: Path = Path("/etc/bocage/actions.json")
    """Who may ask this host for what by a signed action."""
    packages_directory: Path = Path("/var/lib/bocage/packages")
    """Where the state of packages is, on hosts that have any."""
    repository_directory: Path = Path("/srv/bocage/packages")
    """The folder of the repository, on hosts that serve one."""


def read_settings(path: Path) -> Settings:
    what = f"the file {path}"
    try:
        document = fields.record(canonical.loads(atomic.read_bounded(path, 65536), what), what)
        fields.only(document, _REQUIRED, _OPTIONAL, what)
        gateway = document.get("gateway")
        if gateway is not None:
            fields.only(fields.record(gateway, f"gateway in {what}"), _GATEWAY, _NONE, f"gateway in {what}")
        return Settings(
            registry_url=fields.text(document, "registry_url", what, _URL).rstrip("/"),
            registry_address=_optional(document, "registry_address", what, _ADDRESS),
            ca_file=_path(document, "ca_file", what),
            key_file=_path(document, "key_file", what),
            enrolment_file=_path(document, "enrolment_file", what),
            state_directory=_path(document, "state_directory", what),
            mesh_interface=_optional(document, "mesh_interface", what, _INTERFACE),
            mesh_directory=_path({"mesh_directory": "/etc/bocage/mesh", **document}, "mesh_directory", what),
            lan_interface=None if gateway is None else fields.text(gateway, "lan_interface", what, _INTERFACE),
            nftables_directory=_path(
                {"nftables_directory": "/etc/bocage/nftables", **document}, "nftables_directory", what
            ),
            request_timeout_seconds=fields.integer(
                {"request_timeout_seconds": 15, **document}, "request_timeout_seconds", what, 1, 300
            ),
            seals_directory=_path({"seals_directory": "/var/lib/bocage/seals", **document}, "seals_directory", what),
            seal_public_key_file=_path(
                {"seal_public_key_file": "/etc/bocage/seal.pub", **document}, "seal_public_key_file", what
            ),
            actions_file=_path({"actions_file": "/etc/bocage/actions.json", **document}, "actions_file", what),
            packages_directory=_path(
                {"packages_directory": "/var/lib/bocage/packages", **document}, "packages_directory", what
            ),
            repository_directory=_path(
                {"repository_directory": "/srv/bocage/packages", **document}, "repository_directory", what
            ),
        )
    except OSError as error:
        raise BadInput(f"The agent's settings {path} cannot be read: {error.strerror}; run the role agent.") from error
    except BocageError as error:
        raise BadInput(f"The agent's settings cannot be used: {error}") from error


def _optional(document: dict[str, Any], name: str, what: str, form: re.Pattern[str]) -> str | None:
    return None if document.get(name) is None else fields.text(document, name, what, form)


def _path(document: dict[str, Any], name: str, what: str) -> Path:
    return Path(fields.text(document, name, what, _PATH))
