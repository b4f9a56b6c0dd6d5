# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for many hosts are those that each host would render of its plan."""

from __future__ import annotations

from bocage_core._mesh import rendering
from bocage_core._mesh.interface import desired_state, render_configuration
from bocage_core._mesh.peers import MeshPlanner
from bocage_core._mesh.rendering import Renderer
from demo_estate import demo
from hypothesis import given, settings
from pytest import MonkeyPatch
from random_estates import Written, estates, key_of


@settings(max_examples=30, deadline=None)
@given(estates())
def test_a_file_is_what_the_host_would_write_of_its_plan(written: Written) -> None:
    estate = written.estate()
    planner = MeshPlanner(estate)
    renderer = Renderer(planner, listen_port=4000)
    for name in estate.hosts:
        parameters = {"name": "bocage0", "listen_port": 4000, "mtu": 1420, **planner.host(name)}
        assert renderer.configuration(name) == render_configuration(desired_state(parameters))


def test_a_block_is_rendered_once_for_all_who_have_the_peer(monkeypatch: MonkeyPatch) -> None:
    written = demo()
    for number in range(20):
        written.add(f"more{number}", "lyon", ["hypervisor"], mesh_lan_endpoint=f"198.18.1.{100 + number}")
        written.hosts[f"more{number}"]["public_key"] = key_of(f"more{number}")
    rendered: list[str] = []
    original = rendering.peer_block

    def counted(name: str, *others: object) -> str:
        rendered.append(name)
        return original(name, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(rendering, "peer_block", counted)
    renderer = Renderer(MeshPlanner(written.estate()))
    for number in range(20):
        renderer.configuration(f"more{number}")
    assert len(rendered) < 2 * len(written.hosts), "each peer once, not once for each host that has it"
    before = len(rendered)
    renderer.configuration("more0")
    assert len(rendered) == before
