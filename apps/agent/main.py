# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-agent report [--print]`, `status`, `seals ...`, `listen`, `gateway-health`, `routing-watch` and verbs of packages.

Loading is most of the time of a short call, so that each verb loads what it needs and no more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bocage_core._common import atomic, canonical, timestamps
from bocage_core._common.errors import BadInput, BocageError

from .agent_reports import STATUS_FILE, read_status
from .settings import DEFAULT_PATH, Settings, read_settings

MAX_REQUEST_BYTES = 16 * 1024 * 1024
_DEEDS_OF_A_CONTROLLER = ("check", "write")
# what packages_verbs.py knows; a test compares them
PACKAGE_VERBS = frozenset(
    {
        *("update", "upgrade", "download-upgrade", "install", "remove", "forget", "audit", "session-setup"),
        *("list", "search", "clean", "packages", "packages-door", "settle"),
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["gateway-health"]:
        from .gateway_health import main as look_after_gateway

        return look_after_gateway()
    if given == ["routing-watch"]:
        from .routing_watch import main as look_after_sessions

        return look_after_sessions()
    if given == ["update-keeper"]:
        from .agent_keeper import main as watch_update

        return watch_update()
    if given and given[0] in PACKAGE_VERBS:
        return _packages(given)
    options = _options(given)
    try:
        settings = read_settings(options.config)
        if options.verb == "status":
            _show(_status(settings))
        elif options.verb == "listen":
            from .listen import listen

            listen(settings, _log)
        elif options.verb == "seals":
            return _seals(settings, options)
        elif options.print:
            from . import chain
            from .identity import read_enrolment
            from .make_report import COUNTER_FILE, draft

            enrolment = read_enrolment(settings)
            place = chain.read(settings.state_directory / COUNTER_FILE).next_in(enrolment.generation)
            _show(json.loads(draft(settings, enrolment, place).to_payload()))
        else:
            _report(settings)
    except BocageError as error:
        return _fault(str(error))
    except OSError as error:
        return _fault(f"{error.strerror}: {error.filename or 'a file of the agent'}.")
    return 0


def _options(arguments: list[str]) -> Any:
    options = SimpleNamespace(config=DEFAULT_PATH)
    if len(arguments) == 2 and arguments[0] == "seals" and arguments[1] in _DEEDS_OF_A_CONTROLLER:
        # as in every run on every host: nothing to parse, and no parser to load
        options.verb, options.deed = arguments
        return options
    import argparse

    parser = argparse.ArgumentParser(prog="bocage-agent", description="Reports the state of this host to its estate.")
    parser.add_argument("--config", type=Path, default=argparse.SUPPRESS, help="the settings file")
    # with prog given, no help is formatted to find it out
    verbs = parser.add_subparsers(dest="verb", required=True, prog="bocage-agent")
    report = verbs.add_parser("report", help="make a report and deliver it with all that waits")
    report.add_argument("--print", action="store_true", help="only print what would be reported")
    status = verbs.add_parser("status", help="show what was delivered and what waits")
    listening = verbs.add_parser("listen", help="wait for signed actions and do them")
    seals = verbs.add_parser("seals", help="check, write or show the seals of this host")
    deeds = seals.add_subparsers(dest="deed", required=True, prog="bocage-agent seals")
    check = deeds.add_parser("check", help="answer the request of a controller on the standard input")
    write = deeds.add_parser("write", help="seal what a controller signed, from the standard input")
    verify = deeds.add_parser("verify", help="show all seals; fails where one is not intact")
    verify.add_argument("--json", action="store_true", help="as JSON")
    for verb in (report, status, listening, check, write, verify):
        verb.add_argument("--config", type=Path, default=argparse.SUPPRESS, help="the settings file")
    parser.parse_args(arguments, options)
    return options


def _packages(given: list[str]) -> int:
    from .packages_verbs import main as do_packages

    try:
        return do_packages(given)
    except BocageError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.strerror}: {error.filename or 'a file of the agent'}."
    if "--json" in given:
        _show({"error": message})
    return _fault(message)


def _report(settings: Settings) -> None:
    """Spool first, then deliver: whatever happens to the network, the report exists."""
    from . import chain
    from .make_report import spool_report
    from .spool import Spool

    settings.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    spool = Spool(settings.state_directory / "spool")
    with chain.locked(settings.state_directory / "lock"):
        report = spool_report(settings, spool, _log)
        # Half of the time of a call is loading the network library, so it is loaded when there is something to send.
        from .collect_agent import home
        from .deliver import deliver

        place = home()
        delivery = deliver(settings, spool, _log)
        waiting = len(spool.files())
        before = read_status(settings.state_directory / STATUS_FILE)
        delivered_at = timestamps.write(timestamps.now()) if delivery.delivered else before.get("last_delivery_at")
        document = {
            "last_counter": report.counter,
            "last_delivery_at": delivered_at,
            "last_problem": delivery.problem,
            "agent": None if place is None else place.version,
            "accepted_counter": delivery.accepted_counter,
            "refused": delivery.refused,
        }
        atomic.write_file(settings.state_directory / STATUS_FILE, json.dumps(document).encode() + b"\n", 0o600)
    _log(f"Report {report.counter} was made, {delivery.delivered} were delivered, {waiting} are spooled.")


def _seals(settings: Settings, options: Any) -> int:
    if options.deed == "verify":
        from .seal_table import lines
        from .seals import MOST_IN_A_CHECK, section

        found = section(settings, sandboxed=False, most=MOST_IN_A_CHECK)
        print(json.dumps(found, indent=2, sort_keys=True) if options.json else "\n".join(lines(found)))
        return 0 if all(seal["status"] == "intact" for seal in found.values()) else 1
    if options.deed == "write":
        from .seal_writing import write as answer
    else:
        from .seals import check as answer
    print(json.dumps(answer(settings, _request()), sort_keys=True))
    return 0


def _request() -> Any:
    raw = sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1)
    if len(raw) > MAX_REQUEST_BYTES:
        raise BadInput(f"The request has more than {MAX_REQUEST_BYTES} bytes.")
    return canonical.loads(raw, "the request")


def _status(settings: Settings) -> dict[str, Any]:
    from . import chain
    from .identity import read_enrolment
    from .make_report import COUNTER_FILE
    from .spool import Spool

    enrolment = read_enrolment(settings)
    place = chain.read(settings.state_directory / COUNTER_FILE)
    status = read_status(settings.state_directory / STATUS_FILE)
    found = {
        "host": enrolment.name,
        "host_id": enrolment.host_id,
        "generation": enrolment.generation,
        "registry_url": settings.registry_url,
        "last_counter": place.counter,
        "last_delivery_at": status.get("last_delivery_at"),
        "last_problem": status.get("last_problem"),
        "spooled": len(Spool(settings.state_directory / "spool").files()),
    }
    if (settings.packages_directory / "state.sqlite").exists():
        from .packages_report import summary

        found["packages"] = summary(settings.packages_directory)
    return found


def _show(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, sort_keys=True))


def _log(line: str) -> None:
    """A line for the journal."""
    print(line, file=sys.stderr)


def _fault(message: str) -> int:
    _log(f"bocage-agent: {message}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
