# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be listed: a package that every host would refuse is refused before anybody signs a list that names it.

Judged is what a host judges (acceptance), under the authorities and the lists of revoked certificates that hosts get.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from .._common import atomic
from .._common.errors import BadInput
from .._common.refused import Refused
from . import acceptance, certificates, repository_edit, revocation, target_custom, trust_store
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .certificates import Trust
from .container import open_container
from .kinds import kind_of_path, target_path
from .names import file_name

BUNDLE = "authorities.pem"
AUTHORITIES = "authorities"
LISTS = "crl"
_MAX_LISTS = 1024
# WAPT's producers may add the MD5 of the file to its name
_DIGEST = re.compile(r"_[0-9a-f]{32}(?=\.wapt$)")


def estate_trust(folder: Path) -> Trust:
    """Whom hosts believe: `authorities.pem`, else the certificates of `authorities/`, and each list of `crl/`.

    Raises BadInput where there is nobody, or a file cannot be read.
    """
    certificates.require_libraries()
    lists = sorted((folder / LISTS).glob("*.crl"))
    if len(lists) > _MAX_LISTS:
        raise BadInput(f"The folder {folder / LISTS} holds {len(lists)} lists; at most {_MAX_LISTS} are read.")
    try:
        bundle = folder / BUNDLE
        if bundle.is_file():
            trusted = trust_store.load_certificates(atomic.read_bounded(bundle, certificates.MAX_CHAIN_BYTES), bundle)
        else:
            there = (folder / AUTHORITIES).is_dir()
            trusted = trust_store.read_trust(folder / AUTHORITIES).certificates if there else ()
        revoked = tuple(
            revocation.load_crl(atomic.read_bounded(one, revocation.MAX_CRL_BYTES), f"the file {one}") for one in lists
        )
    except Refused as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise BadInput(f"The trust in packages in {folder} cannot be read: {error.strerror}.") from error
    if not trusted:
        raise BadInput(
            f"There is no authority of packages in {folder}, so no host would take one; run playbooks/package_trust.yml."
        )
    return Trust(trusted, revoked, "refused", "required")


def packages(
    given: Iterable[tuple[Path, str]],
    trust: Callable[[], Trust],
    now: datetime,
    may_execute: Callable[[str], bool],
    remedy: str = "say of which site, so that its signer is known",
) -> list[repository_edit.Addition]:
    """Packages, each with the site of its host or "", as targets that hosts would take. Raises Refused or BadInput.

    `trust` is asked only where there are packages: an estate may have lists of revoked certificates before it has any.
    `may_execute` says of a path whether its delegation may sign what is executed; `remedy` ends the sentence for a
    package of a host without its site.
    """
    files = list(given)
    found: dict[str, repository_edit.Addition] = {}
    if not files:
        return []
    trusted = trust()
    for file, site in files:
        one = _package(file, site, trusted, now, may_execute, remedy)
        if one.target.path in found:
            raise BadInput(f"{file} is the second package for {one.target.path}; publish one of them.")
        found[one.target.path] = one
    return list(found.values())


def _package(
    file: Path, site: str, trust: Trust, now: datetime, may_execute: Callable[[str], bool], remedy: str
) -> repository_edit.Addition:
    """A package as a target: its path, and what is signed of it there."""
    certificates.require_libraries()
    with open_container(file) as container:
        accepted, raw = acceptance.verify_container(container, trust, now), container.control_raw
    control = accepted.control
    expected = file_name(control.fields)
    if _DIGEST.sub("", file.name) != expected:
        raise BadInput(
            f"The file {file} has the name of another package than its control file, which is that of {expected};"
            " rename it, or take the right file."
        )
    path = target_path(control, site, remedy)
    if accepted.executables and not may_execute(path):
        raise Refused(
            "not_delegated",
            f"The package {file.name} would execute {accepted.executables[0]}, and nothing of {path.rpartition('/')[0]}/"
            " may; make it a package of the section base.",
        )
    return repository_edit.add_file(path, file, target_custom.from_control(control.fields, raw).to_dict())


def other_file(path: str, file: Path) -> repository_edit.Addition:
    """A target that is no package. Raises BadInput for the path of one, since nothing would have judged it."""
    if kind_of_path(layout.check_path(path)):
        raise BadInput(f"{path} is the path of a package; give {file} among the packages, so that it is verified.")
    return repository_edit.add_file(path, file)


def delegated_rights(top: tuf.Targets) -> Callable[[str], bool]:
    """Of a path, whether its delegation in the top list may sign what is executed."""
    delegated = roles.delegated(top)
    return lambda path: roles.may_execute(delegated[repository_edit.role_of(top, path)])


def refuse_other_bytes(served: Mapping[str, tuf.TargetFile], additions: Iterable[repository_edit.Addition]) -> None:
    """A version is one file for ever: hosts that have it would never get the other one. Raises BadInput."""
    for one in additions:
        there = served.get(one.target.path)
        if there is None or not kind_of_path(one.target.path):
            continue
        before, after = (target_custom.parse(each.custom, one.target.path) for each in (there, one.target))
        if before.version == after.version and there.hashes["sha256"] != one.target.hashes["sha256"]:
            raise BadInput(
                f"{after.package} {after.version} is listed already with other bytes, which hosts that have it would"
                f" keep; give {one.source.name} a higher version, or its packaging a higher number."
            )
