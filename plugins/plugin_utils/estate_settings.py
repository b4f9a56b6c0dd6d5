# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the inventory plugin as values: paths resolved beside its file, moments and units checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_states import Thresholds

from .ssh_forward import Tunnel

_TUNNEL_OPTIONS = frozenset({"host", "port", "user", "key_file", "known_hosts_file", "extra_arguments"})


@dataclass(frozen=True)
class EstateSettings:
    trust: Path
    thresholds: Thresholds
    cache_file: Path
    registry_url: str | None = None
    registry_address: str | None = None
    tunnel: Tunnel | None = None
    ca_file: Path | None = None
    token_file: Path | None = None
    reports: Path | None = None
    as_of: datetime | None = None
    strict: bool = False
    timeout_seconds: float = 10

    def missing_file(self) -> Path | None:
        """A file that reaching the registry needs and that is not there: the registry is not installed yet."""
        needed = [self.ca_file, self.token_file, None if self.tunnel is None else self.tunnel.key_file]
        return next((path for path in needed if path is not None and not path.exists()), None)


def read_settings(options: Mapping[str, Any], config_file: Path, estate_name: str, home: Path) -> EstateSettings:
    """The settings from the plugin's options; raises BadInput with the option's name."""
    folder = config_file.parent
    fresh, stale = options["fresh_seconds"], options["stale_seconds"]
    if not 0 < fresh <= stale:
        raise BadInput(f"{config_file}: stale_seconds must be at least fresh_seconds, and both more than 0.")
    if options["registry_url"] and options["reports"]:
        raise BadInput(f"{config_file}: give either registry_url or reports, not both.")
    if options["registry_url"] and not options["token_file"]:
        raise BadInput(f"{config_file}: registry_url needs token_file, the file with a reader's token.")
    trust = _path(options["trust"], folder)
    if trust is None:
        raise BadInput(f"{config_file}: the option trust is empty.")
    cache = _path(options["cache_directory"], folder)
    # Two checkouts of one estate must not empty each other's cache.
    place = hashlib.sha256(str(config_file.resolve()).encode()).hexdigest()[:12]
    return EstateSettings(
        trust=trust,
        thresholds=Thresholds(fresh, stale),
        cache_file=(cache or home / "bocage" / estate_name) / f"inventory-{place}.db",
        registry_url=options["registry_url"] or None,
        registry_address=options["registry_address"] or None,
        tunnel=_tunnel(options["ssh_tunnel"], folder, config_file),
        ca_file=_path(options["ca_file"], folder),
        token_file=_path(options["token_file"], folder),
        reports=_path(options["reports"], folder),
        as_of=_moment(options["as_of"], config_file),
        strict=options["strict"],
        timeout_seconds=options["timeout_seconds"],
    )


def _path(value: object, folder: Path) -> Path | None:
    """Relative paths are relative to the file that names them, not to where Ansible was started."""
    return folder / Path(str(value)).expanduser() if value else None


def _tunnel(value: Mapping[str, Any] | None, folder: Path, config_file: Path) -> Tunnel | None:
    if not value:
        return None
    unknown = sorted(set(value) - _TUNNEL_OPTIONS)
    if unknown or not value.get("host"):
        wrong = f"does not know {', '.join(unknown)}" if unknown else "needs a host"
        raise BadInput(f"{config_file}: ssh_tunnel {wrong}.")
    return Tunnel(
        host=str(value["host"]),
        port=int(value.get("port") or 22),
        user=None if value.get("user") is None else str(value["user"]),
        key_file=_path(value.get("key_file"), folder),
        known_hosts_file=_path(value.get("known_hosts_file"), folder),
        extra_arguments=tuple(str(one) for one in value.get("extra_arguments") or ()),
    )


def _moment(value: object, config_file: Path) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise BadInput(f"{config_file}: as_of is not a time such as 2026-01-31T08:30:00Z.") from error
    # YAML's own times are in UTC and come without a zone.
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).replace(microsecond=0)
