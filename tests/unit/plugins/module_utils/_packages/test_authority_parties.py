# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from authority_estate import a_signer, an_authority
from bocage_core._common.errors import BadInput
from bocage_core._packages.authority_parties import parties

REFUSED: list[tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = [
    ([], [], "No root is declared"),
    ([an_authority("estate"), an_authority("estate")], [], "estate is declared twice"),
    ([an_authority("Estate")], [], "cannot name an authority or a signer"),
    ([an_authority("estate.2")], [], "cannot name an authority or a signer"),
    ([an_authority("packages", "estate")], [], "no authority that is declared before it"),
    ([an_authority("estate")], [a_signer("alice", issuer="nobody")], "nobody is to sign for alice and is no authority"),
    ([an_authority("estate", state="revoked")], [], "The root estate cannot be revoked"),
    ([an_authority("estate", days=0)], [], "days of estate is 0; give 1 to 36500"),
    ([an_authority("estate", path_length=-1)], [], "with a path length of -1 is beyond what a root allows"),
    (
        [an_authority("estate"), an_authority("packages", "estate"), an_authority("more", "packages")],
        [],
        "The authority more with a path length of 0 is beyond what packages allows, which is none at all",
    ),
    (
        [an_authority("estate"), an_authority("packages", "estate", path_length=1)],
        [],
        "with a path length of 1 is beyond what estate allows, which is 0",
    ),
    (
        [an_authority("estate"), an_authority("packages", "estate", state="revoked")],
        [a_signer("alice")],
        "packages is to sign for alice and is revoked; name another authority",
    ),
    (
        [an_authority("estate"), an_authority("packages", "estate", days=390)],
        [a_signer("alice")],
        "packages lives 390 days, which is not more than the 395 that it needs",
    ),
]


@pytest.mark.parametrize(("authorities", "signers", "sentence"), REFUSED)
def test_what_cannot_be_declared(
    authorities: list[dict[str, Any]], signers: list[dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(BadInput) as refused:
        parties(authorities, signers, 30)
    assert sentence in str(refused.value) and str(refused.value).count("\n") == 0
