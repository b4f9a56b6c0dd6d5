# SPDX-License-Identifier: GPL-3.0-or-later
"""What `init` makes of each source, and what it says of sources that are none."""

from __future__ import annotations

import ast
import gzip
import io
import tarfile
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._packages.control import parse_control, require
from bocage_core._packages.versions import Version
from bocage_packager import debian, sources
from bocage_packager.drafts import name_of, version_of
from bocage_packager.options import TEMPLATES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packager_calls import Call, Say

CONTROL = """Package: Hello-World
Version: 1:2.4.1~rc1+dfsg-3+deb12u1
Architecture: amd64
Depends: libc6 (>= 2.36)
Description: says hello
 at length
Homepage: https://example.org/
"""


def member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def deb(control: str = CONTROL, name: str = "control.tar.gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("./control")
        entry.size = len(control.encode())
        archive.addfile(entry, io.BytesIO(control.encode()))
    data = gzip.compress(packed.getvalue()) if name.endswith(".gz") else packed.getvalue()
    return b"!<arch>\n" + member("debian-binary", b"2.0\n") + member(name, data) + member("data.tar", b"")


def appimage(machine: int = 62) -> bytes:
    return b"\x7fELF\x02\x01\x01\x00AI\x02" + bytes(5) + b"\x02\x00" + machine.to_bytes(2, "little") + bytes(64)


def control_of(folder: Path) -> dict[str, str | int]:
    control = parse_control((folder / "WAPT" / "control").read_bytes())
    require(control)
    Version.parse(control.version)
    return control.fields


AGENT = "bocage-agent-0.3.1-3f1c2a9b7d10-x86_64.tar.gz"


def agent(folder: Path, name: str = AGENT, program: str = "bin/bocage-agent") -> Path:
    path = folder / name
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(program))
    return path


def test_the_agent_as_a_package(tmp_path: Path, call: Call) -> None:
    archive = agent(tmp_path)
    status, document = call("init", tmp_path / "new", "--template", "agent", "--archive", archive)
    assert status == 0
    assert "builds of one release need --version, as in 0.3.1-2." in document["notes"][0]
    found = control_of(tmp_path / "new")
    names = ("package", "version", "section", "architecture", "target_os")
    assert [found[name] for name in names] == ["bocage-agent", "0.3.1-1", "base", "x64", "linux"]
    assert (tmp_path / "new" / "agent.json").read_text() == '{"version": "0.3.1-3f1c2a9b7d10"}\n'
    assert (tmp_path / "new" / "agent.tar.gz").read_bytes() == archive.read_bytes()
    assert "update_agent()" in (tmp_path / "new" / "setup.py").read_text()
    call("init", tmp_path / "next", "--template", "agent", "--archive", archive, "--version", "0.3.1-2")
    assert control_of(tmp_path / "next")["version"] == "0.3.1-2"


def test_what_is_no_archive_of_the_agent(tmp_path: Path, say: Say) -> None:
    (tmp_path / "bad").mkdir()
    bad = tmp_path / "bad" / AGENT
    bad.write_bytes(b"nothing")
    other = agent(tmp_path, "bocage-agent.tar.gz")
    empty = agent(tmp_path, program="bin/other")
    new = tmp_path / "new"
    for arguments, said in (
        (("--template", "agent", "--archive", bad), "is no archive that can be unpacked"),
        (("--template", "agent", "--archive", other), "is not called as an archive of the agent"),
        (("--template", "agent", "--archive", empty), "has no program bin/bocage-agent"),
        (("--template", "agent"), "go together"),
        (("--template", "base", "--archive", empty), "go together"),
        (("--template", "agent", "--archive", empty, "--package", "x"), "is called bocage-agent on all hosts"),
    ):
        status, _output, error = say("init", new, *arguments)
        assert (status, said in error) == (2, True), error
    assert not new.exists()


@pytest.mark.parametrize("section", TEMPLATES)
def test_each_template(tmp_path: Path, call: Call, section: str) -> None:
    status, document = call("init", tmp_path / "acme-thing", "--template", section, "--maintainer", "Ann")
    assert (status, document["package"], document["version"], document["section"]) == (0, "acme-thing", "1-1", section)
    fields = control_of(tmp_path / "acme-thing")
    assert (fields["section"], fields["maintainer"], fields["priority"]) == (section, "Ann", "optional")
    setup = tmp_path / "acme-thing" / "setup.py"
    # only software has something to execute
    assert setup.exists() == (section == "base")
    assert [one.name for one in tmp_path.iterdir()] == ["acme-thing"], "nothing is left beside it"


def test_base_has_all_hooks(tmp_path: Path, call: Call) -> None:
    call("init", tmp_path / "thing")
    tree = ast.parse((tmp_path / "thing" / "setup.py").read_text())
    hooks = [one.name for one in tree.body if isinstance(one, ast.FunctionDef)]
    assert hooks == ["install", "uninstall", "session_setup", "audit", "update_package"]


def test_units_have_names_of_a_directory(tmp_path: Path, call: Call) -> None:
    status, document = call("init", tmp_path / "lab", "--template", "unit", "--package", "OU=lab,DC=acme")
    assert (status, document["package"]) == (0, "OU=lab,DC=acme")


def test_from_a_debian_package(tmp_path: Path, call: Call) -> None:
    (tmp_path / "hello_2.4.1.deb").write_bytes(deb())
    status, document = call("init", tmp_path / "new", "--deb", tmp_path / "hello_2.4.1.deb", "--prefix", "acme-")
    assert (status, document["package"], document["version"]) == (0, "acme-hello-world", "2.4.1-3")
    assert document["files"] == ["WAPT/control", "files/hello_2.4.1.deb", "setup.py"]
    assert "2.4.1-3" in document["notes"][0]
    assert "libc6" in document["notes"][1]
    fields = control_of(tmp_path / "new")
    assert (fields["architecture"], fields["description"]) == ("x64", "says hello")
    assert "install_apt('files/hello_2.4.1.deb')" in (tmp_path / "new" / "setup.py").read_text()


def test_from_an_appimage(tmp_path: Path, call: Call) -> None:
    (tmp_path / "Paint_Box-1.2.3-x86_64.AppImage").write_bytes(appimage())
    status, document = call("init", tmp_path / "new", "--appimage", tmp_path / "Paint_Box-1.2.3-x86_64.AppImage")
    assert (status, document["package"], document["version"]) == (0, "paint-box", "1.2.3-1")
    assert (tmp_path / "new" / "files" / "paint-box.AppImage").read_bytes() == appimage()
    assert control_of(tmp_path / "new")["architecture"] == "x64"
    names: dict[str, object] = {}
    exec(compile((tmp_path / "new" / "setup.py").read_text(), "setup.py", "exec"), names)
    assert names["PROGRAM"] == "/opt/paint-box/paint-box.AppImage"
    assert names["LAUNCHER"] == '#!/bin/sh\nexec /opt/paint-box/paint-box.AppImage "$@"\n'


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("org.example.Paint", "org.example.Paint"),
        ("app/org.example.Paint/x86_64/stable", "org.example.Paint/x86_64/stable"),
        ("org.example.Paint//beta", "org.example.Paint//beta"),
    ],
)
def test_from_a_flatpak(tmp_path: Path, call: Call, reference: str, name: str) -> None:
    status, document = call("init", tmp_path / "new", "--flatpak", reference, "--version", "3.2-1")
    assert (status, document["package"], document["version"], document["notes"]) == (0, "paint", "3.2-1", [])
    setup = (tmp_path / "new" / "setup.py").read_text()
    assert f"REFERENCE = '{name}'" in setup
    assert "install_flatpak(REFERENCE, remote='flathub')" in setup
    ast.parse(setup)


def test_from_a_flatpakref_file(tmp_path: Path, call: Call) -> None:
    (tmp_path / "paint.flatpakref").write_text(
        "[Flatpak Ref]\nName=org.example.Paint\nBranch=stable\nUrl=https://example.org/repo/\nSuggestRemoteName=ex\n"
    )
    assert call("init", tmp_path / "new", "--flatpak", tmp_path / "paint.flatpakref")[0] == 0
    setup = (tmp_path / "new" / "setup.py").read_text()
    assert "REFERENCE = 'org.example.Paint//stable'" in setup
    assert "'remote-add', '--system', '--if-not-exists', 'ex', 'https://example.org/repo/'" in setup.replace('"', "'")
    ast.parse(setup)


def test_from_a_folder(tmp_path: Path, call: Call) -> None:
    (tmp_path / "Site Fonts" / "sub").mkdir(parents=True)
    (tmp_path / "Site Fonts" / "sub" / "a.ttf").write_bytes(b"a")
    command = ("init", tmp_path / "new", "--folder", tmp_path / "Site Fonts", "--target", "/usr/share/fonts/site")
    status, document = call(*command)
    assert (status, document["package"]) == (0, "site-fonts")
    assert (tmp_path / "new" / "files" / "sub" / "a.ttf").read_bytes() == b"a"
    assert "TARGET = '/usr/share/fonts/site'" in (tmp_path / "new" / "setup.py").read_text()


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path, say: Say) -> None:
    (tmp_path / "mine").write_text("")
    status, output, error = say("init", tmp_path)
    assert (status, output) == (2, "")
    assert error == f"bocage-package: {tmp_path} exists already; give a new folder.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--deb", "DIR/text"], "DIR/text is no Debian package: it does not begin as one."),
        (["--deb", "DIR/none"], "DIR/none: No such file or directory."),
        (["--appimage", "DIR/text"], "DIR/text is no AppImage: it lacks the marks of one."),
        (["--appimage", "http://example.org/a"], "An AppImage from a URL needs https and --sha256, so"),
        (
            ["--appimage", "DIR/text", "--sha256", "00"],
            "--sha256 is not a SHA-256 in hexadecimal, which has 64 digits.",
        ),
        (["--appimage", "DIR/text", "--sha256", "0" * 64], "DIR/text does not have the digest of --sha256"),
        (["--flatpak", "paint"], "paint is no id of a Flatpak such as org.example.App."),
        (["--flatpak", "app/org.example.A/x/y/z"], "app/org.example.A/x/y/z is no reference of a Flatpak such as"),
        (["--flatpak", "org.example.Paint", "--remote", "http://x/"], "--remote http://x/ is neither the name of"),
        (["--flatpak", "DIR/text.flatpakref"], "DIR/text.flatpakref is no .flatpakref file: it lacks the section"),
        (["--folder", "DIR/text"], "DIR/text is no folder."),
        (["--folder", "DIR/links"], "DIR/links/to is a link or a device, which packages do not hold;"),
        (["--folder", "DIR/empty"], "The folder DIR/empty holds no file."),
        (["--folder", "DIR/full", "--target", "etc"], "--target etc is not a full path."),
        (["--package", "Not_a_name"], "Not_a_name is no name for a package; give one with --package, of lower-case"),
        (["--version", "1.0-rc1"], "The version '1.0-rc1' cannot be used;"),
    ],
)
def test_what_is_no_source_is_said_and_nothing_is_made(
    tmp_path: Path, say: Say, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "text").write_text("text")
    (tmp_path / "text.flatpakref").write_text("[Other]\n")
    for name in ("links", "empty", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "links" / "to").symlink_to("/etc/passwd")
    (tmp_path / "full" / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    status, output, error = say("init", tmp_path / "new", *(one.replace("DIR", str(tmp_path)) for one in arguments))
    assert (status, output) == (2, "")
    assert error.startswith(f"bocage-package: {sentence.replace('DIR', str(tmp_path))}")
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_server_sends_is_bounded(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_APPIMAGE", 1000)
    monkeypatch.setattr(sources, "_download", lambda _url, take: [take(b"x" * 300) for _ in range(9)])
    url = "https://example.org/Paint-1.0.AppImage"
    status, document = call("init", tmp_path / "new", "--appimage", url, "--sha256", "0" * 64)
    assert status == 3
    assert document["error"].endswith("gives more than 1000 bytes; nothing was kept.")
    assert list(tmp_path.iterdir()) == []


def test_a_download_of_other_bytes_is_not_kept(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_download", lambda _url, take: take(appimage()))
    url = "https://example.org/Paint-1.0.AppImage"
    status, document = call("init", tmp_path / "new", "--appimage", url, "--sha256", "0" * 64)
    assert (status, list(tmp_path.iterdir())) == (2, [])
    assert "does not have the digest" in document["error"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2-3", "1.2-3"),
        ("1.2", "1.2-1"),
        ("2:0.9.30-1.1", "0.9.30-1"),
        ("20230311", "20230311-1"),
        ("1.2.3.4.5-1", "1.2.3.4-1"),
        ("git", "0-1"),
    ],
)
def test_versions_of_others(text: str, version: str) -> None:
    found, note = version_of(text)
    assert found == version
    assert (note == "") == (text in (found, found.removesuffix("-1")))


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_every_version_becomes_one_of_ours(text: str) -> None:
    Version.parse(version_of(text)[0])


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_every_name_is_good_or_refused(text: str) -> None:
    try:
        name = name_of(text)
    except BadInput:
        return
    assert name == name.lower()
    assert not set(name) & set(" _/\\:\n")


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_debian_packages_are_refused(tmp_path: Path, noise: bytes, start: int, cut: int) -> None:
    raw = deb()
    path = tmp_path / "x.deb"
    path.write_bytes(raw[:start] + noise + raw[start + cut :])
    try:
        fields = debian.read_fields(path)
    except BadInput:
        return
    assert fields["package"]
