# SPDX-License-Identifier: GPL-3.0-or-later
"""The real library behind the engine: TUF's word, the acceptance rule, the solver."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, timestamps
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import acceptance, manifest, replica_choice, repository_client, versions
from bocage_core._packages.certificates import Trust
from bocage_core._packages.container import open_container
from bocage_core._packages.fetcher import Traffic, replica_url
from bocage_core._packages.kinds import kind_of_path, kind_of_section
from bocage_core._packages.matching import Machine, matches
from bocage_core._packages.offers import offers as offers_for
from bocage_core._packages.repository_cache import Target
from bocage_core._packages.requests import Request, parse_requests
from bocage_core._packages.rollout_document import MAX_BYTES, PATH

from .packages_addresses import own_addresses
from .packages_ports import Accepted, Offer, Progress, Solution, Taken, Unreachable
from .packages_rollouts import Kept, keep_to
from .packages_settings import PackageSettings

ROOT = "root.json"
AUTHORITIES = "authorities"
BUNDLE = "authorities.pem"
TICKETS = "downgrades"
_MAX_ROOT = 512_000
_MAX_TICKETS = 256
_MAX_FOUND = 500
_MAX_BUNDLE = 256 * 1024


class PackageLibrary:
    """One host's view of one repository; loads what is heavy when it is asked for."""

    def __init__(
        self,
        settings: PackageSettings,
        host_id: str,
        host_name: str,
        machine: Machine,
        clock: Callable[[], datetime] = timestamps.now,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._host_id = host_id
        self._host_name = host_name
        self._machine = machine
        self._client_: repository_client.Client | None = None
        self._trust: Trust | None = None
        self._kept: Kept | None = None

    # metadata

    def update(self) -> dict[str, int]:
        try:
            self._client.update()
        except repository_client.Unreachable as error:
            raise Unreachable(str(error)) from error
        self._trust = self._kept = None
        return self.versions()

    def versions(self) -> dict[str, int]:
        found = self._client.listing(stale=True)
        return {"root": found.root, "timestamp": found.timestamp, "snapshot": found.snapshot}

    def taken(self) -> Taken:
        own = {replica_url(one) for one in replica_choice.of_site(self._settings.replicas, self._settings.site)}
        counts = {"site": Traffic(), "elsewhere": Traffic()}
        for url, traffic in {} if self._client_ is None else self._client_.drain_taken().items():
            counts["site" if url in own else "elsewhere"].add(traffic)
        site, elsewhere = counts["site"], counts["elsewhere"]
        return Taken(site.bytes, site.requests, elsewhere.bytes, elsewhere.requests, bool(own))

    def kept(self, installed: Mapping[str, str]) -> Mapping[str, Any]:
        if self._kept is None:
            listed = [one for one in self._client.below("rollouts/") if PATH.fullmatch(one.path)]
            documents = [(one.path, atomic.read_bounded(self._client.download(one), MAX_BYTES)) for one in listed]
            self._kept = keep_to(
                documents, self._host_id, self._host_name, self._settings.site, self._clock(), installed
            )
        return self._kept.to_plain()

    def offers(self, package: str) -> Sequence[Offer]:
        found = [self._offer(one) for one in self._client.find(package)]
        known = [one for one in found if one is not None]
        own = [one for one in known if one.section == "host"]
        if package == self._settings.host_package:
            return [
                one
                for one in own
                if one.path.startswith(f"host/{self._settings.site}/" if self._settings.site else "host/")
            ]
        # those of other hosts are nothing to this one
        return _of_one_kind([one for one in known if one not in own])

    def search(self, words: Sequence[str]) -> Sequence[Offer]:
        wanted = [word.casefold() for word in words]
        found: list[Offer] = []
        for one in self._client.listing(stale=True).targets():
            name = one.name.casefold()
            if kind_of_path(one.path) and all(word in name for word in wanted):
                offer = self._offer(one)
                found += [] if offer is None else [offer]
                if len(found) == _MAX_FOUND:
                    break
        return found

    # one file

    def download(self, offer: Offer, path: Path, progress: Progress) -> None:
        progress(0, offer.size)
        try:
            found = self._client.download(self._target(offer))
        except repository_client.Unreachable as error:
            raise Unreachable(str(error)) from error
        shutil.move(found, path)
        progress(offer.size, offer.size)

    def accept(self, path: Path, offer: Offer, floor: str | None, moment: datetime) -> Accepted:
        target = self._target(offer)
        tickets = [*self._files(TICKETS, ".json"), *Kept.from_plain(self.kept({})).ticket_bytes()] if floor else []
        standing = acceptance.Standing(self._host_id, floor or "", tickets, self._ticket_keys() if floor else ())
        # the file has the name of a download that is not finished
        what = f"the package {offer.package} {offer.version}"
        found = acceptance.accept(path, target, self._trusted(), moment, standing, what=what)
        control = found.control
        if kind_of_section(control.section) != kind_of_path(target.path):
            raise Refused(
                "wrong_target",
                f"The package {control.package} is of the section {control.section}, and the repository lists it as"
                f" {target.path}, where only its own kind may be.",
            )
        if reason := matches(control.fields, self._machine, moment):
            raise BocageError(
                f"The package {control.package} {control.version} is not for this host: {reason.rstrip('.')}."
            )
        return Accepted(
            package=control.package,
            version=control.version,
            section=kind_of_section(control.section),
            depends=control.depends,
            conflicts=control.conflicts,
            signer=found.signer,
            executable=bool(found.executables),
            control=dict(control.fields),
        )

    def unpack(self, path: Path, sha256: str, folder: Path) -> None:
        # these are the bytes that were accepted, so that their manifest is the one whose signature was found good
        with open_container(path) as container:
            digests = manifest.parse_manifest(container.manifest_raw, f"the manifest of {path.name}")
            container.extract(folder, digests)

    # choosing

    def solve(
        self,
        requests: Iterable[str | Request],
        forbidden: Iterable[str],
        installed: Mapping[str, Offer],
        offers: Callable[[str], Sequence[Offer]],
        renew: Callable[[str], bool],
        kept: Mapping[str, Any],
    ) -> Solution:
        from .packages_choice import choose

        return choose(requests, forbidden, installed, offers, renew, Kept.from_plain(kept))

    def compare(self, first: str, second: str) -> int:
        return versions.compare(first, second)

    def clash(self, first: Offer, second: Offer) -> bool:
        return any(_allows(request, other) for one, other in ((first, second), (second, first)) for request in _of(one))

    def names(self, requests: str) -> list[str]:
        return [one.package for one in parse_requests(requests)]

    # inside

    @property
    def _client(self) -> repository_client.Client:
        if self._client_ is None:
            path = self._settings.places.trust / ROOT
            try:
                root = atomic.read_bounded(path, _MAX_ROOT)
            except OSError as error:
                raise BadInput(
                    f"The pinned root of the repository {path} cannot be read: {error.strerror}; run the role agent."
                ) from error
            self._client_ = repository_client.Client(
                self._settings.places.state / "tuf", root, self._replicas(), clock=self._clock
            )
        return self._client_

    def _replicas(self) -> list[str]:
        known = self._settings.replicas
        # where a host is matters only where somebody said so
        addresses = own_addresses() if any(one.networks for one in known) else []
        return replica_choice.in_order(known, self._host_id, addresses)

    def _target(self, offer: Offer) -> Target:
        if isinstance(offer.source, Target):
            return offer.source
        raise BocageError(f"{offer.package} {offer.version} is not in the repository any more; run the update again.")

    def _offer(self, target: Target) -> Offer | None:
        """None for a package that is not for this kind of host, or that cannot be understood."""
        said = target.custom
        described = offers_for([{**said.to_dict(), "sha256": target.sha256}], self._machine).candidates
        if not described:
            return None
        return Offer(
            package=said.package,
            version=said.version,
            section=kind_of_path(target.path),
            depends=said.depends,
            conflicts=said.conflicts,
            sha256=target.sha256,
            size=target.length,
            path=target.path,
            rank=described[0].rank,
            source=target,
        )

    def _trusted(self) -> Trust:
        """The estate's authorities, with the lists of revoked certificates that the repository has now."""
        if self._trust is None:
            from bocage_core._packages import revocation, trust_store

            options = self._settings.document.get("trust", {})
            folder = self._settings.places.trust
            placed = trust_store.read_trust(folder / AUTHORITIES) if (folder / AUTHORITIES).is_dir() else Trust(())
            certificates = list(placed.certificates)
            if (folder / BUNDLE).is_file():
                raw = atomic.read_bounded(folder / BUNDLE, _MAX_BUNDLE)
                certificates += trust_store.load_certificates(raw, folder / BUNDLE)
            if not certificates:
                raise BadInput(
                    f"This host trusts nobody's packages: {folder / BUNDLE} is missing; run the role packages."
                )
            lists = [*placed.crls]
            for one in self._client.below("crl/"):
                raw = atomic.read_bounded(self._client.download(one), revocation.MAX_CRL_BYTES)
                lists.append(revocation.load_crl(raw, f"the list {one.path}"))
            self._trust = Trust(
                tuple(certificates),
                tuple(lists),
                options.get("pinned_signers", "refused"),
                options.get("revocation", "required"),
            )
        return self._trust

    def _ticket_keys(self) -> list[bytes]:
        from bocage_core._packages import downgrades

        path = self._settings.places.trust / downgrades.KEYS_FILE
        return downgrades.read_keys(atomic.read_bounded(path, _MAX_BUNDLE) if path.is_file() else b"")

    def _files(self, name: str, ending: str) -> list[bytes]:
        folder = self._settings.places.trust / name
        found = sorted(folder.glob(f"*{ending}"))[:_MAX_TICKETS] if folder.is_dir() else []
        return [atomic.read_bounded(path, 8 * 1024 * 1024) for path in found]


def _of(offer: Offer) -> tuple[Request, ...]:
    return parse_requests(offer.conflicts)


def _allows(request: Request, offer: Offer) -> bool:
    return request.matches(offer.package, versions.Version.parse(offer.version))


def _of_one_kind(found: Collection[Offer]) -> list[Offer]:
    """Who may sign groups and units can give none of them the name of software: where both are, software is meant."""
    kinds = {one.section for one in found}
    kind = "base" if "base" in kinds else min(kinds, default="base")
    return [one for one in found if one.section == kind]


def machine_of(document: Mapping[str, Any]) -> Machine:
    """The kind of this host, from the settings; what they leave out is taken from the system."""
    from .packages_machine import described

    return described(document)
