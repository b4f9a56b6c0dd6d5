# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of a site's own: part of our table, checked with it, and never lost or half loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._gateway.additions import Addition, blamed, lines_of, read_additions
from bocage_core._gateway.confirm import Paths, check
from bocage_core._gateway.ruleset import policy_from, render
from network_namespace import NetworkNamespace, need

PARAMETERS: dict[str, Any] = {
    "mesh_interface": "bocage*",
    "mesh_ports": [51820],
    "management_prefixes": ["198.51.100.192/28"],
    "overlay_sources": ["fd7b:4c1e:90a2::/48"],
}
MONITORING = "# who watches\nset watchers { type ipv4_addr; elements = { 198.51.100.7 } }\nchain site_input {\n" + (
    '\tip saddr @watchers tcp dport 9100 accept comment "a } in words"\n}\n'
)
TRANSLATION = "chain site_translation {\n\ttype nat hook postrouting priority 90;\n\toifname lan0 masquerade\n}\n"


@pytest.fixture(scope="module")
def namespace() -> Iterator[NetworkNamespace]:
    need("nft")
    with NetworkNamespace() as made:
        yield made


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    made.additions.mkdir()
    return made


def rendered(paths: Paths) -> str:
    return render(policy_from(PARAMETERS), read_additions(paths.additions))


def test_files_are_taken_in_the_order_of_their_names(paths: Paths) -> None:
    assert read_additions(paths.additions) == []
    assert read_additions(paths.folder / "nowhere") == []
    (paths.additions / "20-b.nft").write_text(TRANSLATION)
    (paths.additions / "10-a.nft").write_text(MONITORING)
    (paths.additions / "10-a.nft.old").write_text("nonsense")
    found = read_additions(paths.additions)
    assert [one.name for one in found] == ["10-a.nft", "20-b.nft"]
    lines = lines_of(found)
    assert lines[0] == "\t# from site.d/10-a.nft"
    assert lines.index("\t# end of site.d/10-a.nft") < lines.index("\t# from site.d/20-b.nft")


def test_several_additions_share_a_chain_and_are_loaded(paths: Paths, namespace: NetworkNamespace) -> None:
    (paths.additions / "10-a.nft").write_text(MONITORING)
    (paths.additions / "20-b.nft").write_text("chain site_input {\n\ttcp dport 9200 accept\n}\n" + TRANSLATION)
    planned = paths.folder / "planned.nft"
    planned.write_text(rendered(paths))
    check(paths, planned.read_text(), read_additions(paths.additions), namespace.run)
    # a reload replaces the table, additions and all
    for _again in range(2):
        namespace.must("nft", "--file", str(planned))
        rules = namespace.must("nft", "list", "chain", "inet", "bocage", "site_input")
        assert rules.count("tcp dport 9100") == rules.count("tcp dport 9200") == 1
    chain = namespace.must("nft", "list", "chain", "inet", "bocage", "input")
    # asked before we accept anything that begins
    assert chain.index("jump site_input") < chain.index("accept comment")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "chain site_input {\n\ttcp dprot 9100 accept\n}\n",
            "nft refuses line 2 of the addition {path} to the firewall",
        ),
        ("chain site_input {\n\tjump site_nowhere\n}\n", "nft refuses line 2 of the addition {path} to the firewall"),
    ],
)
def test_what_nft_refuses_is_named_by_file_and_line(
    paths: Paths, namespace: NetworkNamespace, text: str, words: str
) -> None:
    (paths.additions / "10-a.nft").write_text(MONITORING)
    broken = paths.additions / "20-broken.nft"
    broken.write_text(text)
    with pytest.raises(BocageError) as refused:
        check(paths, rendered(paths), read_additions(paths.additions), namespace.run)
    said = str(refused.value)
    assert said.startswith(words.format(path=broken))
    assert "and nothing was changed: " in said and said.endswith("; correct or remove it.")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("}\ntable ip others {\n", "leaves our table in line 1, and nothing was changed: write chains and sets alone"),
        ("flush ruleset\n", "leaves our table in line 1, and nothing was changed"),
        ('# fine\ninclude "/tmp/x"\n', "leaves our table in line 2, and nothing was changed"),
        ("chain input {\n\taccept\n}\n", "has a chain input in line 1, and nothing was changed: its chains begin with"),
        (
            "chain site_input {\n\taccept\n",
            "has an opening brace without its end, and nothing was changed: correct it.",
        ),
        ("\udcff", "cannot be read, and nothing was changed: "),
    ],
)
def test_attack_an_addition_that_leaves_its_place_is_refused(paths: Paths, text: str, words: str) -> None:
    path = paths.additions / "10-a.nft"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BocageError) as refused:
        read_additions(paths.additions)
    assert str(refused.value).startswith(f"Addition {path} to the firewall {words}")


def test_our_own_mistake_is_not_blamed_on_an_addition(paths: Paths, namespace: NetworkNamespace) -> None:
    (paths.additions / "10-a.nft").write_text(MONITORING)
    broken = rendered(paths).replace("ct state invalid drop", "ct state nonsense drop", 1)
    with pytest.raises(BocageError, match=r"^nft refuses the planned ruleset, and nothing was changed: "):
        check(paths, broken, read_additions(paths.additions), namespace.run)
    assert blamed("", "no place named", [Addition("a", "")], paths.additions) is None
