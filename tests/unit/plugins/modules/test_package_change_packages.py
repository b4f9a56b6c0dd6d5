# SPDX-License-Identifier: GPL-3.0-or-later
"""What every host would refuse is refused before anybody signs a list that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import package_maker
import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._packages import repository_publish
from ansible_collections.bocage.fleet.plugins.modules import package_change
from party_maker import CODE, DAY, Party, rsa_key
from publishing_estate import Estate

DELEGATIONS = ["base", "deployers", "host-paris", "rollouts"]
PROGRAM = {"setup.py": b"print(1)\n"}
DATA = {"data/text": b"words"}


@pytest.fixture
def estate(tmp_path: Path, capsys: pytest.CaptureFixture[str], call_module: Any) -> Estate:
    made = Estate(tmp_path, capsys)
    call_module(package_change, **made.options(delegations=DELEGATIONS))
    made.commit()
    return made


def options(estate: Estate, *packages: Path, site: str = "", **more: Any) -> dict[str, Any]:
    given = [{"file": str(one), "site": site} for one in packages]
    return estate.options(exported=estate.exported(), delegations=DELEGATIONS, packages=given, **more)


def refused(estate: Estate, call_module: Any, *packages: Path, **more: Any) -> str:
    """The sentence, after which nothing was written; a check says the same."""
    (estate.folder / "signed.change").unlink(missing_ok=True)
    given = options(estate, *packages, **more)
    failed = call_module(package_change, **given)
    assert failed["msg"] == call_module(package_change, check=True, **given)["msg"]
    assert not (estate.folder / "signed.change").exists()
    assert "Traceback" not in failed["msg"] and failed["msg"].endswith(".")
    return str(failed["msg"])


def test_four_calls(estate: Estate, call_module: Any) -> None:
    software = estate.package(estate.developer, PROGRAM)
    group = estate.package(estate.deployer, {}, package="office", section="group", depends="tis-app")
    given = options(estate, software, group)
    steps = ["publish base/tis-app_1.2-3_PROD.wapt", "publish group/office_1.2-3_PROD.wapt"]
    assert call_module(package_change, check=True, **given)["steps"] == steps
    assert call_module(package_change, **given)["lists"] == ["base", "deployers"]
    estate.commit()
    assert set(repository_publish.listing(estate.folder / "repository")) == {one.partition(" ")[2] for one in steps}
    for check in (True, False):
        assert call_module(package_change, check=check, **options(estate, software, group))["steps"] == []


def test_the_package_of_a_unit_with_the_name_that_a_directory_gives_it(estate: Estate, call_module: Any) -> None:
    unit = estate.package(estate.deployer, {}, package="OU=Design desks,DC=x", section="unit", depends="tis-app")
    done = call_module(package_change, **options(estate, unit))
    assert (done["lists"], done["steps"]) == (["deployers"], [f"publish unit/{unit.name}"])
    estate.commit()
    assert set(repository_publish.listing(estate.folder / "repository")) == {f"unit/{unit.name}"}


def test_without_a_signature(estate: Estate, call_module: Any) -> None:
    unsigned = estate.package(estate.developer, PROGRAM)
    package_maker.rewrite(unsigned, {"WAPT/signature.sha256": None})
    assert "WAPT/signature.sha256" in refused(estate, call_module, unsigned)


def test_signed_by_somebody_else(estate: Estate, call_module: Any) -> None:
    stranger = Party.root("stranger", key=rsa_key("stranger"), **estate.lives).issue(
        "eve", extended=CODE, **estate.lives
    )
    assert "The certificate eve, which signed" in refused(estate, call_module, estate.package(stranger, PROGRAM))
    # the right certificate, and the signature of another key
    package = estate.package(estate.developer, PROGRAM)
    other = estate.authority.issue("ann", rsa_key("other"), extended=CODE, **estate.lives)
    package_maker.sign_again(package, {}, other)
    assert "signature" in refused(estate, call_module, package)


def test_altered_after_it_was_signed(estate: Estate, call_module: Any) -> None:
    package = estate.package(estate.developer, PROGRAM)
    package_maker.rewrite(package, {"setup.py": b"print(2)\n"})
    assert "setup.py" in refused(estate, call_module, package)


def test_signed_by_one_who_is_expired_or_revoked(estate: Estate, call_module: Any) -> None:
    now = timestamps.now()
    late = estate.authority.issue("ann", extended=CODE, start=now - 30 * DAY, end=now - DAY)
    assert "ended on" in refused(estate, call_module, estate.package(late, PROGRAM))
    package = estate.package(estate.developer, PROGRAM)
    estate.revoke(estate.developer)
    sentence = f"The certificate ann, on which the signature of the package {package.name} rests, was revoked."
    assert refused(estate, call_module, package) == sentence


def test_no_fresh_list_of_revoked_certificates(estate: Estate, call_module: Any) -> None:
    package = estate.package(estate.developer, PROGRAM)
    (estate.trust / "crl/estate.crl").unlink()
    assert "revoked" in refused(estate, call_module, package)


def test_executable_content_of_one_who_may_not(estate: Estate, call_module: Any) -> None:
    """A deployer's package below base, and a developer's where nothing may execute."""
    for name in ("setup.py", "SETUP.PY"):
        # made by hand, as our own tools sign no such package
        package = package_maker.sign_again(
            estate.package(estate.deployer, DATA), {name: b"print(1)\n"}, estate.deployer
        )
        assert "it lacks the extended key usage codeSigning" in refused(estate, call_module, package)
    group = estate.package(estate.developer, PROGRAM, package="office", section="group")
    sentence = f"The package {group.name} would execute setup.py, and nothing of group/ may; make it a package of the"
    assert refused(estate, call_module, group) == f"{sentence} section base."


def test_a_control_file_that_is_not_what_was_signed(estate: Estate, call_module: Any) -> None:
    package = estate.package(estate.developer, PROGRAM)
    (estate.folder / "signer").mkdir()
    package_maker.sign_again(
        package,
        {"WAPT/control": package_maker.contents(package)["WAPT/control"].replace(b"tis-app", b"tis-apq")},
        estate.developer,
    )
    assert "control file" in refused(estate, call_module, package.rename(package.with_name("tis-apq_1.2-3_PROD.wapt")))


def test_a_name_unlike_the_control_file(estate: Estate, call_module: Any) -> None:
    package = estate.package(estate.developer, PROGRAM)
    other = package.rename(package.with_name("tis-editor_9-1_PROD.wapt"))
    assert refused(estate, call_module, other) == (
        f"The file {other} has the name of another package than its control file, which is that of"
        " tis-app_1.2-3_PROD.wapt; rename it, or take the right file."
    )
    digest = other.rename(other.with_name(f"tis-app_1.2-3_PROD_{'0' * 32}.wapt"))
    assert call_module(package_change, **options(estate, digest))["changed"]


def test_other_bytes_under_a_version_that_is_listed(estate: Estate, call_module: Any) -> None:
    first = estate.package(estate.developer, PROGRAM)
    call_module(package_change, **options(estate, first))
    estate.commit()
    second = estate.package(estate.developer, {"setup.py": b"print(2)\n"})
    sentence = refused(estate, call_module, second, retired=["base/tis-app_1.2-3_PROD.wapt"])
    assert sentence.startswith("tis-app 1.2-3 is listed already with other bytes, which hosts that have it would keep;")
    assert call_module(package_change, **options(estate, estate.package(estate.developer, PROGRAM, version="1.2-4")))[
        "changed"
    ]


def test_the_package_of_a_host_has_one_path_and_new_versions(estate: Estate, call_module: Any) -> None:
    of_host = {"package": "pc1.paris", "section": "host"}
    first = estate.package(estate.deployer, {}, **of_host, version="1-1")
    call_module(package_change, **options(estate, first, site="paris"))
    estate.commit()
    changed = estate.package(estate.deployer, DATA, **of_host, version="1-1")
    assert "is listed already" in refused(estate, call_module, changed, site="paris")
    newer = estate.package(estate.deployer, DATA, **of_host, version="1-2")
    assert call_module(package_change, **options(estate, newer, site="paris"))["changed"]


def test_two_packages_of_one_name(estate: Estate, call_module: Any) -> None:
    first, second = estate.package(estate.developer, PROGRAM), estate.package(estate.developer, PROGRAM)
    assert "is the second package for base/tis-app_1.2-3_PROD.wapt" in refused(estate, call_module, first, second)


def test_nobody_is_trusted(estate: Estate, call_module: Any) -> None:
    package = estate.package(estate.developer, PROGRAM)
    (estate.trust / "authorities.pem").unlink()
    assert "There is no authority of packages in" in refused(estate, call_module, package)
    (estate.trust / "authorities.pem").write_bytes(b"none")
    assert "holds no certificate in PEM or DER" in refused(estate, call_module, package)
    (estate.trust / "authorities.pem").unlink()
    (estate.trust / "authorities").mkdir()
    (estate.trust / "authorities/estate.crt").write_bytes(estate.authority_pem())
    assert call_module(package_change, **options(estate, package))["changed"]
