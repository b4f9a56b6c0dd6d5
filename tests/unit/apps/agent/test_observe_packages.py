# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to a sealed package, or to one that it needs, is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_agent.observe_packages import Packages
from sealed_host import SealedHost, file, package

STATUS = "/var/lib/dpkg/status"


def restate(sealed: SealedHost, name: str, old: str, new: str) -> None:
    """Change the stanza of one package."""
    stanzas = sealed.path(STATUS).read_text().split("\n\n")
    changed = [one.replace(old, new) if one.startswith(f"Package: {name}\n") else one for one in stanzas]
    assert changed != stanzas
    sealed.path(STATUS).write_text("\n\n".join(changed))


def test_versions_and_states_are_dpkgs(sealed: SealedHost) -> None:
    packages = Packages(str(sealed.root))
    assert packages.package("nftables")["version"] == "1.0.6-2"
    assert packages.package("nftables:amd64") == packages.package("nftables")
    assert packages.package("mawk")["state"] == "present"
    assert packages.package("removed") == packages.package("never-heard-of") == {"state": "absent"}
    assert packages.package("broken") == {"state": "half-configured"}


def test_all_that_a_package_needs_is_found(sealed: SealedHost) -> None:
    """Alternatives, what something else provides, and a circle."""
    assert Packages(str(sealed.root)).closure(["nftables"]) == ["libc6", "libnft1", "mawk"]
    assert Packages(str(sealed.root)).closure(["libc6"]) == ["libnft1"]
    assert Packages(str(sealed.root)).closure(["other", "never-heard-of"]) == []


def test_an_untouched_package_is_intact(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"), package("removed", "absent"))
    assert sealed.findings() == []


def test_another_version_of_a_listed_package_is_drift(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    restate(sealed, "nftables", "1.0.6-2\nDepends", "1.0.7-1\nDepends")
    sealed.put("/usr/sbin/nft", "newer")
    assert sealed.findings() == ["the package nftables has the version 1.0.7-1 instead of 1.0.6-2."]


def test_a_removed_package_is_drift(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    restate(sealed, "nftables", "install ok installed", "deinstall ok config-files")
    assert sealed.findings() == ["the package nftables is no longer installed."]
    restate(sealed, "nftables", "deinstall ok config-files", "install reinstreq unpacked")
    assert sealed.findings() == ["the package nftables is in the state unpacked."]


def test_a_package_that_came_back_is_drift(sealed: SealedHost) -> None:
    sealed.seal(package("removed", "absent"))
    restate(sealed, "removed", "deinstall ok config-files", "install ok installed")
    assert sealed.findings() == ["the package removed is installed, but the role removed it."]


@pytest.mark.parametrize("name", ["/usr/sbin/nft", "/usr/lib/libnft.so.1.1", "/usr/bin/mawk"])
def test_an_altered_file_of_a_package_or_of_what_it_needs_is_drift(sealed: SealedHost, name: str) -> None:
    sealed.seal(package("nftables"))
    owner = {"/usr/sbin/nft": "nftables", "/usr/bin/mawk": "mawk"}.get(name, "libnft1")
    sealed.path(name).unlink()
    assert sealed.findings() == [f"files of the package {owner} were altered or removed on the host."]


def test_altered_files_are_named_by_the_time_of_their_change(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    packages = Packages(str(sealed.root))
    path = sealed.path("/usr/sbin/nft")
    path.write_text("evil")
    changed = path.stat().st_ctime_ns
    assert packages.altered("nftables", changed) == ["/usr/sbin/nft"]
    assert packages.altered("nftables", changed + 1) == []
    assert packages.altered("nftables", 0, most=1) == ["/usr/sbin/nft"]


def test_a_link_of_a_package_is_watched(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    link = sealed.path("/usr/lib/libnft.so.1")
    link.unlink()
    link.symlink_to("evil.so")
    assert sealed.findings() == ["files of the package libnft1 were altered or removed on the host."]


def test_a_file_that_was_never_unpacked_is_no_drift_until_it_comes(sealed: SealedHost) -> None:
    """As where dpkg leaves out documentation."""
    sealed.seal(package("nftables"))
    sealed.put("/usr/share/doc/gone", "")
    assert sealed.findings() == ["files of the package nftables were altered or removed on the host."]


def test_an_upgraded_dependency_is_no_drift(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    restate(sealed, "libc6", "2.36-9", "2.36-10")
    sealed.put("/usr/lib/libc.so.6", "newer")
    assert sealed.findings() == []


def test_a_dependency_that_is_gone_is_drift(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    restate(sealed, "libnft1", "install ok installed", "deinstall ok config-files")
    assert sealed.findings() == ["the package libnft1, which sealed packages need, is no longer installed."]


def test_other_packages_are_nobodys_business(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    restate(sealed, "other", "Version: 3", "Version: 4")
    sealed.path("/usr/bin/other").unlink()
    assert sealed.findings() == []


def test_configuration_of_a_package_is_watched(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    sealed.put("/etc/nftables.conf", "flush ruleset")
    assert sealed.findings() == ["/etc/nftables.conf, of the package nftables, was altered or removed on the host."]


def test_configuration_that_another_role_owns_is_left_to_its_seal(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    sealed.put("/etc/nftables.conf", "of another role")
    sealed.seal(file("/etc/nftables.conf"), role="firewall")
    assert sealed.check("mesh", "firewall")["seals"]["mesh"]["status"] == "intact"
    sealed.put("/etc/nftables.conf", "of nobody")
    answer = sealed.check("mesh", "firewall")["seals"]
    assert (answer["mesh"]["status"], answer["firewall"]["status"]) == ("intact", "broken")
    assert answer["firewall"]["findings"] == ["/etc/nftables.conf was altered on the host."]
    # a seal that does not count answers for nothing
    sealed.seal_file("firewall").write_bytes(b"{}")
    assert len(sealed.findings()) == 1


def test_configuration_that_the_role_itself_writes_is_told_once(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"), file("/etc/nftables.conf"))
    sealed.put("/etc/nftables.conf", "altered")
    assert sealed.findings() == ["/etc/nftables.conf was altered on the host."]


def test_a_host_without_dpkgs_tables_says_so(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    sealed.path(STATUS).unlink()
    assert sealed.findings()[0].startswith("the package nftables cannot be looked at: No such file or directory: ")
    refused = sealed.write(names=sealed.signed("names", [package("nftables")]))["refused"]
    assert refused["names"].startswith("the package nftables cannot be looked at: ")


def test_an_obsolete_conffile_is_nobodys_business(sealed: SealedHost) -> None:
    sealed.seal(package("nftables"))
    sealed.put("/etc/old.conf", "")
    assert sealed.findings() == []


def test_a_diverted_file_is_looked_for_where_it_is(sealed: SealedHost) -> None:
    sealed.put("/var/lib/dpkg/diversions", "/usr/sbin/nft\n/usr/sbin/nft.real\nother\n")
    sealed.put("/usr/sbin/nft.real", "")
    sealed.seal(package("nftables"))
    sealed.put("/usr/sbin/nft", "of the package other")
    assert sealed.findings() == []
    sealed.put("/usr/sbin/nft.real", "altered")
    assert sealed.findings() == ["files of the package nftables were altered or removed on the host."]


def test_tables_are_read_once(sealed: SealedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    table = Packages._table
    monkeypatch.setattr(Packages, "_table", lambda self, name: read.append(name) or table(self, name))
    sealed.seal(package("nftables"), package("other"))
    read.clear()
    assert sealed.findings() == []
    assert sorted(read) == ["diversions", "info/libc6.list", "info/libnft1:amd64.list", "info/mawk.list",
                            "info/nftables.list", "info/other.list", "status"]  # fmt: skip


def test_a_package_without_a_list_has_no_files(sealed: SealedHost) -> None:
    before = Packages(str(sealed.root)).package("other")
    Path(sealed.path("/var/lib/dpkg/info/other.list")).unlink()
    after = Packages(str(sealed.root)).package("other")
    assert (after["state"], after["files"] != before["files"]) == ("present", True)
