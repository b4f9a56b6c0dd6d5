# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kerberos realm on the customer's business server, machines that are in it, and machines that lie."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import driver

REALM = "DEMO.INTERNAL"
SERVICE = f"bocage-enrol/demo.internal@{REALM}"
ADDRESS = "198.18.1.20"
CONFIGURATION = f"""[libdefaults]
default_realm = {REALM}
dns_lookup_kdc = false
dns_lookup_realm = false
[realms]
{REALM} = {{
  kdc = {ADDRESS}
}}
"""
START = """
export DEBIAN_FRONTEND=noninteractive
cat > /etc/krb5.conf
# Debian starts its own before there is a database
systemctl --quiet mask krb5-kdc krb5-admin-server 2>/dev/null
if ! command -v kadmin.local >/dev/null; then
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends krb5-kdc krb5-admin-server >/dev/null 2>&1
fi
rm -rf /var/lib/krb5kdc/* /etc/krb5kdc/stash /root/realm
mkdir -p -m 700 /root/realm
kdb5_util create -s -r REALM -P lab-realm >/dev/null
for name in NAMES; do
  kadmin.local -q "addprinc -randkey $name" >/dev/null
  kadmin.local -q "ktadd -k /root/realm/keytab.$(echo "$name" | tr / _) $name" >/dev/null
done
systemd-run --quiet --unit lab-realm /usr/sbin/krb5kdc -n
"""
# What a machine runs in place of Python, to say other things than it should.
LIAR = """#!/bin/sh
sed -f /root/lie.sed | /usr/bin/python3 "$@" | /usr/bin/python3 /root/lie.py
"""
LIES = """
import base64, json, os, pathlib, sys
said = sys.stdin.read()
try:
    result = json.loads(said)
except ValueError:
    sys.stdout.write(said)
    sys.exit()
LIE
sys.stdout.write(json.dumps(result))
"""


def start(*names: str) -> None:
    """A new realm with these accounts and the estate's service; their keytabs stay on the server."""
    driver.on("erp1", "systemctl stop lab-realm", check=False)
    script = START.replace("REALM", REALM).replace("NAMES", " ".join((*names, SERVICE.split("@")[0])))
    driver.on(
        "erp1", script.replace("cat > /etc/krb5.conf", f"cat > /etc/krb5.conf <<'C'\n{CONFIGURATION}C"), timeout=180
    )


def stop() -> None:
    driver.on(
        "erp1",
        "systemctl stop lab-realm; rm -rf /root/realm /var/lib/krb5kdc /etc/krb5kdc /etc/krb5.conf;"
        " apt-get purge -qq -y krb5-kdc krb5-admin-server krb5-user krb5-config >/dev/null 2>&1;"
        " apt-get autoremove -qq -y >/dev/null 2>&1; systemctl --quiet unmask krb5-kdc krb5-admin-server",
        check=False,
        timeout=120,
    )


def keytab(name: str) -> bytes:
    return base64.b64decode(driver.on("erp1", f"base64 /root/realm/keytab.{name.replace('/', '_')}"))


def join(host: str, name: str) -> None:
    """The machine gets its account in the realm."""
    text = base64.b64encode(keytab(name)).decode()
    driver.on(
        host,
        f"umask 077; base64 -d > /etc/krb5.keytab <<'K'\n{text}\nK\n"
        f"cat > /etc/krb5.conf <<'C'\n{CONFIGURATION}C\nchmod 644 /etc/krb5.conf",
    )


def leave(host: str) -> None:
    driver.on(
        host,
        "rm -rf /etc/krb5.conf /etc/krb5.keytab /root/lie.sed /root/lie.py /root/lying-python /root/kept;"
        " apt-get purge -qq -y python3-gssapi >/dev/null 2>&1; apt-get autoremove -qq -y >/dev/null 2>&1",
        check=False,
        timeout=120,
    )


def lying(host: str, asked: str = "", answered: str = "pass") -> dict[str, Any]:
    """The machine alters what it is asked (as sed does) and what it answers (as Python does); variables to reach it so."""
    lies = LIES.replace("LIE", answered)
    driver.on(
        host,
        f"cat > /root/lying-python <<'S'\n{LIAR}S\nchmod 755 /root/lying-python\n"
        f"cat > /root/lie.sed <<'S'\n{asked}\nS\ncat > /root/lie.py <<'S'\n{lies}S\n",
    )
    return {"ansible_python_interpreter": "/root/lying-python"}


def enrolled(inventory: Path, host: str) -> dict[str, Any] | None:
    """What the enrolment says that was signed, if one was."""
    path = inventory / "trust" / "enrolments" / f"{host}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))
    return found
