# SPDX-License-Identifier: GPL-3.0-or-later
"""How what is so differs from what was sealed, and from what a role says that it made: in sentences for operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bocage_core._seals.items import Item, probe_of

from .observe_files import Observed
from .observe_probes import ON_INTERFACE

# Paths that changed since the seal, for a package; only asked for where its digest differs.
Altered = Callable[[str], list[str]]

_OFF = ("disabled", "masked", "masked-runtime", "linked", "linked-runtime", "bad", "not-found", "unknown")
_ON = ("enabled", "enabled-runtime")
_ARTICLES = {"file": "a file", "directory": "a folder", "link": "a link", "other": "neither file, folder nor link"}
_ASPECTS = {
    "wireguard": {
        "peers": "the peers of the interface {0} are not those that were sealed.",
        "port": "the interface {0} does not listen on the port that was sealed.",
        "key": "the interface {0} has another key than the one that was sealed.",
        "mark": "the interface {0} marks its packets otherwise than was sealed.",
    },
    "link": {
        "addresses": "the addresses of the interface {0} are not those that were sealed.",
        "routes": "the routes of the interface {0} are not those that were sealed.",
        "mtu": "the interface {0} has another MTU than was sealed.",
        "state": "the interface {0} is not up or down as was sealed.",
    },
    "nftables": {"rules": "the rules in the table {0} are not those that were sealed."},
    "resolver": {
        "servers": "the name servers of the interface {0} are not those that were sealed.",
        "domains": "the domains of the interface {0} are not those that were sealed.",
    },
    "sysctl": {"value": "the kernel setting {0} is not what was sealed."},
}
_THINGS = {
    "wireguard": "the interface {0}",
    "link": "the interface {0}",
    "nftables": "the table {0}",
    "resolver": "the interface {0}",
    "sysctl": "the kernel setting {0}",
}


def findings(item: Item, sealed: Observed, now: Observed, altered: Altered, owned: frozenset[str]) -> Iterator[str]:
    """One sentence for each difference; `owned` are configuration files that seals watch as files."""
    if sealed == now:
        return
    if "error" in now:
        yield now["error"]
    elif item["kind"] == "file":
        yield from _file(item["name"], sealed, now)
    elif item["kind"] == "tree":
        gone = now["digest"] is None
        yield f"{item['name']} was removed." if gone else f"files in {item['name']} were altered on the host."
    elif item["kind"] == "package":
        yield from _package(item["name"], sealed, now, altered, owned)
    elif item["kind"] == "unit":
        yield from _unit(item, sealed, now)
    elif item["kind"] == "account":
        yield from _account(item["name"], sealed, now)
    else:
        yield from _probe(item["name"], sealed, now)


def depends_findings(
    name: str, sealed: Observed, now: Observed, altered: Altered, owned: frozenset[str]
) -> Iterator[str]:
    """The same for a package that sealed ones need: another version of it is no drift."""
    if sealed == now:
        return
    if "error" in now:
        yield now["error"]
    elif now["state"] != "present":
        yield f"the package {name}, which sealed packages need, is no longer installed."
    elif now["version"] == sealed["version"]:
        yield from _package(name, sealed, now, altered, owned)


def contradiction(item: Item, now: Observed) -> str | None:
    """Why what is so cannot be what the role made; None where it can."""
    kind, name = item["kind"], item["name"]
    if "error" in now:
        return str(now["error"])
    if kind == "file":
        state = now["resolved"]["state"] if "resolved" in now else now["state"]
        if state != item["state"]:
            return f"{name} {_is(state)}, but the role wants it {_wanted(item['state'])}."
    elif kind == "tree":
        return f"the folder {name} does not exist." if now["digest"] is None else None
    elif kind in ("package", "account") and now["state"] != item["state"]:
        return f"the {kind} {name} is {now['state']}, but the role wants it {item['state']}."
    elif kind == "unit":
        if item["active"] is not None and now["active"] != item["active"]:
            return f"{name} is {'not ' if item['active'] else ''}running, against the role's word."
        if item["enabled"] is not None and now["enabled"] in (_OFF if item["enabled"] else _ON):
            return f"{name} is {now['enabled']}, against the role's word."
    return None


def _file(name: str, sealed: Observed, now: Observed) -> Iterator[str]:
    if now["state"] != sealed["state"]:
        if sealed["state"] == "absent":
            yield f"{name} exists, but the role removed it."
        elif now["state"] == "absent":
            yield f"{name} was removed on the host."
        else:
            yield f"{name} {_is(now['state'])} instead of {_ARTICLES[sealed['state']]}."
        return
    if now.get("digest") != sealed.get("digest"):
        yield f"{name} was altered on the host."
    if now.get("mode") != sealed.get("mode"):
        yield f"{name} has the mode {now['mode']} instead of {sealed['mode']}."
    for word, field in (("user", "uid"), ("group", "gid")):
        if now[field] != sealed[field]:
            yield f"{name} belongs to the {word} {now[field]} instead of {sealed[field]}."
    if now.get("target") != sealed.get("target"):
        yield f"{name} leads to {now['target']} instead of {sealed['target']}."
    elif now.get("resolved") != sealed.get("resolved"):
        yield f"what {name} leads to was altered on the host."


def _package(name: str, sealed: Observed, now: Observed, altered: Altered, owned: frozenset[str]) -> Iterator[str]:
    if now["state"] != sealed["state"]:
        if sealed["state"] == "absent":
            yield f"the package {name} is installed, but the role removed it."
        elif now["state"] == "absent":
            yield f"the package {name} is no longer installed."
        else:
            yield f"the package {name} is in the state {now['state']}."
        return
    if now["version"] != sealed["version"]:
        yield f"the package {name} has the version {now['version']} instead of {sealed['version']}."
        return
    if now["files"] != sealed["files"]:
        paths = altered(name)
        some = f": {', '.join(paths)}" if paths else ""
        yield f"files of the package {name} were altered or removed on the host{some}."
    before, after = sealed["conffiles"], now["conffiles"]
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path) and path not in owned:
            yield f"{path}, of the package {name}, was altered or removed on the host."


def _unit(item: Item, sealed: Observed, now: Observed) -> Iterator[str]:
    name = item["name"]
    if item["active"] is not None and now["active"] != sealed["active"]:
        yield f"{name} is running, but the role stopped it." if now["active"] else f"{name} is not running."
    if item["enabled"] is not None and now["enabled"] != sealed["enabled"]:
        yield f"{name} is {now['enabled']} instead of {sealed['enabled']}."
    elif item["enabled"] is not None and now["links"] != sealed["links"]:
        yield f"the links by which {name} is started are not those that were sealed."
    if item["active"] and now["needs_reload"] and not sealed["needs_reload"]:
        yield f"{name} does not run as its file on the host says."


def _account(name: str, sealed: Observed, now: Observed) -> Iterator[str]:
    if now["state"] != sealed["state"]:
        gone = now["state"] == "absent"
        yield f"the account {name} does not exist." if gone else f"the account {name} exists, but the role removed it."
        return
    for field, word in (("uid", "number"), ("gid", "group"), ("home", "home"), ("shell", "shell")):
        if now[field] != sealed[field]:
            yield f"the account {name} has the {word} {now[field]} instead of {sealed[field]}."
    if now["groups"] != sealed["groups"]:
        listed = [", ".join(groups) or "none" for groups in (now["groups"], sealed["groups"])]
        yield f"the account {name} is in the groups {listed[0]} instead of {listed[1]}."


def _probe(name: str, sealed: Observed, now: Observed) -> Iterator[str]:
    probe, argument = probe_of(name)
    if now["digest"] is None or sealed["digest"] is None:
        verb = "does not exist." if now["digest"] is None else "exists, but did not when it was sealed."
        yield f"{_THINGS[probe].format(argument)} {verb}"
        return
    for aspect, sentence in _ASPECTS[probe].items():
        if now["aspects"].get(aspect) != sealed["aspects"].get(aspect):
            yield sentence.format(argument)
    # interfaces come and go; of those that stayed the setting must be the same
    for aspect, value in sorted(sealed["aspects"].items()):
        if aspect.startswith(ON_INTERFACE) and now["aspects"].get(aspect, value) != value:
            interface = aspect.removeprefix(ON_INTERFACE)
            yield f"the kernel setting {argument} is not what was sealed on the interface {interface}."


def _is(state: str) -> str:
    return "is missing" if state == "absent" else f"is {_ARTICLES[state]}"


def _wanted(state: str) -> str:
    return "absent" if state == "absent" else f"to be {_ARTICLES[state]}"
