# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as an operator runs them, and what hosts saw meanwhile. Prints the figure, and ends with an error where one
of the promises was broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SCENARIO = Path(sys.argv[1]).resolve()
ROOT = SCENARIO.parents[1]
TRUST = ROOT / ".lab/molecule/rotation/inventory/trust"
sys.path.insert(0, str(ROOT / "tests/bench"))

from figures import figure  # noqa: E402

MANAGEMENT = {"hub": 176, "gateway": 177, "desk": 178, "cache": 179, "home": 180}
ULA = "fdb4:55c8:1f20"
ADDRESS = {"hub": f"{ULA}::1", "gateway": f"{ULA}:1::1", "desk": f"{ULA}:1::28", "home": f"{ULA}:2::1"}
# few enough that a busy machine is not what loses them
WATCHED = {"home": [ADDRESS["hub"], ADDRESS["desk"], "198.19.81.1"], "desk": [ADDRESS["gateway"], ADDRESS["home"]]}


def on(host: str, command: str) -> str:
    lab = ROOT / ".lab/ssh"
    ssh = [
        "ssh",
        "-i",
        str(lab / "id_ed25519"),
        "-o",
        f"UserKnownHostsFile={lab}/known_hosts_rotation",
        "-o",
        "LogLevel=ERROR",
    ]
    done = subprocess.run(
        [*ssh, f"root@198.18.3.{MANAGEMENT[host]}", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{host}: {command}: {done.stderr}"
    return done.stdout


def rotate(
    word: str, *more: str, interrupt_after: str | None = None, abort_after: str | None = None
) -> tuple[int, str]:
    """Run the playbook; once a text was printed it gets a SIGINT, or another run gives the rotation up meanwhile."""
    command = [
        "ansible-playbook",
        "-i",
        str(SCENARIO / "inventory"),
        "playbooks/rotate_keys.yml",
        "-e",
        f"rotation={word}",
        *more,
    ]
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "default"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if interrupt_after is not None and interrupt_after in line:
            os.killpg(process.pid, signal.SIGINT)
            interrupt_after = None
        if abort_after is not None and abort_after in line:
            status, meanwhile = rotate("abort")
            assert status == 0 and "is at work on it and ends at its next step" in meanwhile, meanwhile
            abort_after = None
    return process.wait(), said


def state() -> dict:
    return json.loads((TRUST / "rotation.json").read_text())


def watch() -> None:
    script = (SCENARIO / "files/watch.py").read_text()
    for host in ("home", "desk"):
        on(host, f"cat > /root/watch.py <<'SCRIPT'\n{script}\nSCRIPT\nrm -f /root/seen-*.json")
    on("desk", "nft insert rule inet bocage overlay tcp dport 9000 accept")
    on(
        "desk",
        f"systemd-run -q --unit=watch-serve python3 /root/watch.py --output /root/seen-serve.json serve {ADDRESS['desk']} 9000",
    )
    time.sleep(1)
    on(
        "home",
        f"systemd-run -q --unit=watch-load python3 /root/watch.py --output /root/seen-load.json download {ADDRESS['desk']} 9000",
    )
    time.sleep(2)
    for host, targets in WATCHED.items():
        on(
            host,
            f"systemd-run -q --unit=watch-probe python3 /root/watch.py --output /root/seen-probe.json probe {' '.join(targets)}",
        )


def seen() -> tuple[int, int, dict]:
    """Probes that were sent and that were lost, and the download."""
    sent = lost = 0
    for host in WATCHED:
        on(host, "systemctl stop watch-probe")
        for target, found in json.loads(on(host, "cat /root/seen-probe.json"))["probes"].items():
            print(f"{host} -> {target}: {found}")
            sent, lost = sent + found["sent"], lost + found["lost"]
    on("home", "systemctl stop watch-load")
    on("desk", "systemctl stop watch-serve")
    return sent, lost, json.loads(on("home", "cat /root/seen-load.json"))["download"]


def check_secrets(epoch: int) -> None:
    """Equal on both ends, different for each pair, and nowhere on this machine."""
    found: dict[tuple[str, ...], set[str]] = {}
    for host in MANAGEMENT:
        for line in on(host, f"cd /etc/bocage/mesh/psk-{epoch} && grep -H . *").splitlines():
            peer, _colon, secret = line.partition(":")
            found.setdefault(tuple(sorted((f"rot-{host}", peer))), set()).add(secret)
    assert found
    assert all(len(secrets) == 1 for secrets in found.values()), "two ends of a pair have different secrets"
    alone = {secret for secrets in found.values() for secret in secrets}
    assert len(alone) == len(found), "two pairs have one secret"
    for path in [*TRUST.rglob("*.json"), *(Path.home() / ".ansible").rglob("*")]:
        if path.is_file() and not path.is_socket():
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in alone), f"{path} holds a secret"


def main() -> None:
    watch()
    status, said = rotate("start")
    assert status == 0, said
    first = state()
    assert first["phase"] == "settled"
    sent, lost, download = seen()
    print(f"{sent} probes sent, {lost} lost; {download}")
    check_secrets(first["new"])

    status, said = rotate("start", "--limit", "!rot-desk")
    assert status == 0 and "rot-desk not" in said, said
    status, said = rotate("start")
    assert status != 0 and "is under way since" in said, said
    assert rotate("pause")[0] == 0
    status, said = rotate("continue")
    assert status != 0 and "is paused" in said, said
    status, said = rotate("resume", interrupt_after="Prove the new epoch pair by pair")
    assert status != 0, "it was not interrupted"
    assert state()["phase"] == "rotating"
    status, said = rotate("continue")
    assert status == 0 and state()["phase"] == "settled", said

    before = state()["new"]
    assert rotate("start", "--limit", "!rot-desk")[0] == 0
    status, said = rotate("abort")
    assert status == 0 and (state()["new"], state()["phase"]) == (before, "settled"), said
    for host in MANAGEMENT:
        assert on(host, "wg show interfaces").split() == [f"bocage{before % 2}"], host

    status, said = rotate("start", "--limit", "!rot-desk", abort_after="Make a secret for each pair of hosts")
    assert status != 0 and "by the word of somebody else" in said, said
    assert state()["phase"] == "aborting"
    status, said = rotate("continue")
    assert status == 0 and (state()["new"], state()["phase"]) == (before, "settled"), said

    figure("mesh.rotation.lost_probes", lost, "probes", baseline=sent)
    assert download["broken"] is None, download
    assert lost == 0, f"{lost} of {sent} probes were lost"


if __name__ == "__main__":
    main()
