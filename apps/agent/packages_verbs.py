# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of packages on the command line, and for users who ask through the door."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bocage_core._common.errors import BadInput, BocageError

from . import packages_platform as platform
from . import packages_rights as rights
from .packages_rights import Caller
from .packages_settings import DEFAULT_PATH, PackageSettings, read_settings

_NAMED = ("install", "remove", "forget")
# Of which it can be said beforehand what they would change.
_FORESEEN = ("upgrade", *_NAMED)
_ACTING = ("update", "upgrade", "download-upgrade", "install", "remove", "forget", "audit", "clean", "settle")
# What a verb that does not know it does without.
_FLAGS = ("due", "plan", "ensure", "no_update", "again", "at_shutdown")
VERBS = (*_ACTING, "session-setup", "list", "search", "packages", "packages-door")
# of the engine, the library and the store: what a verb loads when it needs them
Log = Callable[[str], None]


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.verb == "session-setup":
        return _session_setup(options)
    if options.verb == "packages-door":
        from .packages_door import serve

        with socket.socket(fileno=os.dup(0)) as connection:
            return serve(connection, lambda *asked: _serve(options, *asked), lambda *told: _note(options, *told))
    if not platform.is_administrator():
        if options.plan or options.ensure or options.no_update:
            raise BadInput("The options --plan, --ensure and --no-update are for administrators of this host.")
        from .packages_door import ask

        return ask(options.verb, options.packages, _say)
    from .packages_progress import Speaker

    speaker = Speaker(quiet=options.quiet)
    try:
        return _do(options, speaker.line, speaker.progress, "root")
    finally:
        speaker.end()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bocage-agent", description="Packages of this host.")
    verbs = parser.add_subparsers(dest="verb", required=True, prog="bocage-agent")
    about = {
        "update": "ask for the newest metadata, and say what is due",
        "upgrade": "bring this host to what it should have",
        "download-upgrade": "download what is due, and install nothing",
        "install": "have packages from now on",
        "remove": "remove packages by their recorded uninstall",
        "forget": "know nothing of packages any more, and remove nothing",
        "audit": "ask installed packages whether they are well",
        "session-setup": "set up this user's session",
        "list": "what is installed and what is due",
        "search": "packages of the repository",
        "clean": "remove downloads that nothing waits for",
        "packages": "all of the state as JSON",
        "packages-door": "answer one user on the standard input",
        "settle": "take in what became of an update of the agent itself",
    }
    for verb in VERBS:
        one = verbs.add_parser(verb, help=about[verb])
        one.add_argument("--packages-config", type=Path, default=DEFAULT_PATH, help="the settings file")
        one.add_argument("--config", type=Path, default=None, help="the settings of the agent itself")
        one.add_argument("--wait", type=float, default=0, help="seconds to wait for another agent")
        one.add_argument("--quiet", action="store_true", help="say nothing but failures and answers")
        one.add_argument("--json", action="store_true", help="answer as JSON")
        if verb in _NAMED:
            one.add_argument("packages", nargs="+", help="names, or requests such as 'firefox(>=128)' for install")
        elif verb in ("audit", "search"):
            one.add_argument("packages", nargs="*", help="names" if verb == "audit" else "words")
        else:
            one.set_defaults(packages=[])
        if verb in _FORESEEN:
            one.add_argument("--plan", action="store_true", help="say what would change, and change nothing")
        if verb in _NAMED:
            it_is = "leave what fits as it is" if verb == "install" else "what is not there is good as it is"
            one.add_argument("--ensure", action="store_true", help=it_is)
        if verb in ("upgrade", "install"):
            one.add_argument("--no-update", action="store_true", help="by the metadata of the last update")
            one.add_argument("--again", action="store_true", help="try also an agent that was put back")
        if verb == "upgrade":
            one.add_argument("--at-shutdown", type=int, metavar="SECONDS", help="if the host goes down, for so long")
        if verb == "audit":
            one.add_argument("--due", action="store_true", help="only what its schedule asks for now")
    options = parser.parse_args(list(arguments))
    for name in _FLAGS:
        setattr(options, name, getattr(options, name, None) or False)
    return options


def _serve(options: argparse.Namespace, caller: Caller, verb: str, packages: list[str], line: Log) -> int:
    """A verb for somebody who asked through the door."""
    if verb not in VERBS or verb in ("session-setup", "packages-door", "settle"):
        raise BadInput(f"There is no verb {verb[:32]!r} of packages.")
    settings = read_settings(options.packages_config)
    rights.check(caller, verb, packages, [settings.self_service, *_placed_rules(settings)])
    asked = argparse.Namespace(**{**vars(options), "verb": verb, "packages": packages, "json": False})
    return _do(asked, line, lambda about, done, total: None, caller.name, answer=line)


def _note(options: argparse.Namespace, caller: Caller, failures: list[Any]) -> int:
    """What could not be done in the caller's session, for the report."""
    from .packages_sessions import note

    note(read_settings(options.packages_config).places.state, caller.name, failures)
    return 0


def _placed_rules(settings: PackageSettings) -> list[rights.Rules]:
    from .packages_store import Store

    store = Store.read(settings.places.state)
    if store is None:
        return []
    try:
        return list(store.rules("selfservice.json").values())
    finally:
        store.close()


def _do(
    options: argparse.Namespace,
    line: Log,
    progress: Callable[[str, int, int], None],
    by: str,
    answer: Callable[[str], None] = print,
) -> int:
    settings = read_settings(options.packages_config)
    verb = options.verb
    if verb in ("list", "packages"):
        return _look(settings, options, answer)
    if verb == "search":
        with _engine(settings, options, line, progress) as engine:
            found = [
                {"package": one.package, "version": one.version, "section": one.section}
                for one in engine.search(options.packages)
            ]
        if options.json:
            answer(json.dumps(found, indent=2, sort_keys=True))
        else:
            for one in found:
                answer(f"{one['package']:<40} {one['version']:<20} {one['section']}")
        return 0 if found else 1
    if options.at_shutdown and not platform.goes_down():
        line("This host is not going down; nothing is done.")
        return 0
    from .packages_lock import run_lock

    with run_lock(settings.places.lock, verb, options.wait), _engine(settings, options, line, progress) as engine:
        engine.repair()
        return _act(engine, options, by, answer)


def _act(engine: Any, options: argparse.Namespace, by: str, answer: Callable[[str], None]) -> int:
    verb, packages = options.verb, options.packages
    if verb == "settle":
        # each run begins with it
        return 0
    if verb == "audit":
        found = engine.audit(packages, due=options.due)
        if options.json:
            answer(json.dumps(found, indent=2, sort_keys=True))
        return 0 if all(one == "OK" for one in found.values()) else 1
    if verb == "clean":
        count, freed = engine.clean()
        if options.json:
            answer(json.dumps({"files": count, "bytes": freed}))
        else:
            answer(f"{count} files with {freed} bytes were removed from the cache.")
        return 0
    from . import packages_changes

    before = engine.standing()
    if options.plan:
        foreseen = _foresee(engine, options)
        after, good = foreseen.after, foreseen.good
    else:
        good, after = _carry_out(engine, options, by, answer), engine.standing()
    if options.json:
        found = packages_changes.document(before, after, engine.compare, verb)
        found |= {"planned": options.plan, "good": good, "last_problem": engine.last_problem()}
        answer(json.dumps(found, indent=2, sort_keys=True))
    elif options.plan:
        changes = packages_changes.changes(before, after, engine.compare, "forget" if verb == "forget" else "remove")
        for one in changes:
            answer(f"{one['action']:<10} {one['package']:<40} {one['before'] or '-'} -> {one['after'] or '-'}")
    return 0 if good else 1


def _foresee(engine: Any, options: argparse.Namespace) -> Any:
    refresh, ensure = not options.no_update, options.ensure
    if options.verb == "upgrade":
        return engine.foresee_upgrade(refresh=refresh)
    if options.verb == "install":
        return engine.foresee_install(options.packages, ensure=ensure, refresh=refresh)
    return engine.foresee_removal(options.packages, ensure=ensure, forgetting=options.verb == "forget")


def _carry_out(engine: Any, options: argparse.Namespace, by: str, answer: Callable[[str], None]) -> bool:
    verb, packages = options.verb, options.packages
    good = True
    if options.again:
        engine.again()
    if verb == "update":
        plan = engine.update()
        if not options.json:
            answer(_told(plan))
    elif verb == "upgrade":
        good = engine.upgrade(refresh=not options.no_update)
        if not options.at_shutdown:
            # what its schedule asks for; answers are in the state and in the report
            engine.audit(due=True)
    elif verb == "download-upgrade":
        good = engine.upgrade(download_only=True)
    elif verb == "install":
        good = engine.install(packages, by, ensure=options.ensure, refresh=not options.no_update)
    elif verb == "remove":
        good = engine.remove(packages, ensure=options.ensure)
    else:
        engine.forget(packages, ensure=options.ensure)
    return good


@contextmanager
def _engine(
    settings: PackageSettings, options: argparse.Namespace, line: Log, progress: Callable[[str, int, int], None]
) -> Iterator[Any]:
    from .packages_engine import Engine
    from .packages_library import PackageLibrary, machine_of
    from .packages_runner import Runner
    from .packages_store import Store
    from .packages_time import TimeLeft

    store = Store.open(settings.places.state)
    try:
        library = PackageLibrary(settings, *_host(options.config), machine_of(settings.machine))
        # while the host goes down systemd begins no unit any more
        supervised = False if options.at_shutdown else None
        runner = Runner(supervised, most_lines=settings.limits.output_lines)
        left = TimeLeft(options.at_shutdown or None)
        announce = (lambda: None) if options.at_shutdown else platform.report_now
        yield Engine(settings, store, library, runner, log=line, progress=progress, time_left=left, announce=announce)
    finally:
        store.close()


def _host(config: Path | None) -> tuple[str, str]:
    """By which downgrade tickets and rollouts know this host: id and name; empty where it is not enrolled."""
    from .identity import read_enrolment
    from .settings import DEFAULT_PATH as AGENT_PATH
    from .settings import read_settings as read_agent_settings

    try:
        enrolment = read_enrolment(read_agent_settings(config or AGENT_PATH))
    except BocageError:
        return "", ""
    return enrolment.host_id, enrolment.name


def _look(settings: PackageSettings, options: argparse.Namespace, answer: Callable[[str], None]) -> int:
    from .packages_report import state_of

    state = state_of(settings.places.state)
    if options.verb == "packages" or options.json:
        answer(json.dumps(state, indent=2, sort_keys=True))
        return 0
    for name, one in state["packages"].items():
        wanted = f" -> {one['wanted']}" if one["wanted"] and one["wanted"] != one["version"] else ""
        reason = f"  {one['reason']}" if one["reason"] else ""
        answer(f"{one['state']:<13} {name:<40} {one['version'] or '-'}{wanted}{reason}")
    return 0


def _told(plan: Any) -> str:
    """What an update found, in one sentence."""
    if not plan.install and not plan.remove and not plan.missing:
        return "Nothing is due."
    parts = []
    if plan.install:
        parts.append("to install or upgrade: " + ", ".join(f"{one.package} {one.version}" for one in plan.install))
    if plan.remove:
        parts.append("to remove: " + ", ".join(sorted(plan.remove)))
    if plan.missing:
        parts.append("missing: " + ", ".join(sorted(plan.missing)))
    return f"Due {'; '.join(parts)}."


def _session_setup(options: argparse.Namespace) -> int:
    if platform.is_root():
        raise BadInput("session-setup sets up a user's own account, and never that of root; run it as that user.")
    from .packages_session import set_up

    try:
        settings = read_settings(options.packages_config)
        sessions, seconds = settings.places.state / "sessions", settings.limits.session_seconds
    except BocageError:
        # the settings may be for administrators to read; where sessions lie is known all the same
        sessions, seconds = platform.places().state / "sessions", 300
    failed = set_up(sessions, Path.home(), seconds, _nothing if options.quiet else _say)
    if failed is None:
        return 0
    sentences = [f"{one.package} {one.version} could not set up your session: {one.reason}" for one in failed]
    if options.quiet:
        for one in sentences:
            _say(one)
    if sentences:
        platform.show("A package could not set up your session", "\n".join(sentences))
    _tell_of(failed)
    return 1 if failed else 0


def _tell_of(failed: Sequence[Any]) -> None:
    """The host reports it; that it cannot is no failure of the session."""
    from .packages_door import SESSION_RESULT, ask

    told = [
        {"package": one.package, "version": one.version, "reason": one.reason or "no reason was given"}
        for one in failed
    ]
    try:
        ask(SESSION_RESULT, [], _say, failures=told)
    except (BocageError, OSError, ValueError) as error:
        if told:
            _say(f"This host will not report it: {error}")


def _nothing(text: str) -> None:
    """What is said of a quiet run's steps."""


def _say(text: str) -> None:
    print(text, file=sys.stderr)
