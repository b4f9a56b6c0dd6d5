# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences about a solution for people: why this version, why it leaves, why nothing is possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .._common.errors import BadInput
from .facts import Conflicts, Depends, Fact
from .problem import Problem
from .requests import Request
from .universe import Candidate, Rule, Wanted
from .versions import Version

# A sentence with more links than this is not read.
_MOST_LINKS = 12
_MOST_CAUSES = 3
# How far a reason is followed: "app 2 needs lib 3, which base 1 excludes" is two.
_MOST_STEPS = 3


def impossible(problem: Problem, facts: Sequence[Fact]) -> str:
    """One sentence that names the facts which exclude each other, from who asks to what is missing."""
    links = []
    for group in _grouped(_from_the_top(facts)):
        link = _said(problem, group)
        if link not in links:
            links.append(link)
    if len(links) > _MOST_LINKS:
        # the end of a chain says what is missing
        links = [*links[: _MOST_LINKS - 1], links[-1], f"and {len(links) - _MOST_LINKS} more"]
    return f"The packages cannot be chosen: {'; '.join(links)}. Ask for other versions, or publish a package that fits."


def why(problem: Problem, chosen: Mapping[str, Candidate], name: str) -> str:
    """Why a package is there in its version, comes, leaves, or is absent."""
    item = problem.universe.installed.get(name)
    here, then = item.candidate if item else None, chosen.get(name)
    if then is None:
        return _why_absent(problem, chosen, name, here)
    newer = [candidate for candidate in problem.universe.candidates[name] if candidate.version > then.version]
    causes = _distinct(_blocked(problem, chosen, candidate) for candidate in newer)
    needed = _because(_needed_by(problem, chosen, name))
    if here is then:
        if causes:
            return f"{name}: kept {then.version} because {_joined(causes)}."
        more = f"; {newer[0].version} is there for an upgrade" if newer else ""
        return f"{name}: kept {then.version}, which is installed{more}."
    if here is None:
        start = f"{name}: {then.version} is installed{needed}"
    elif then.version == here.version:
        start = f"{name}: {then.version} is replaced by another build of it{needed}"
    else:
        verb = "upgraded" if then.version > here.version else "downgraded"
        start = f"{name}: {verb} from {here.version} to {then.version}"
        left = _blocked(problem, chosen, here)
        start += f" because {left}" if left else ", which is newer" if verb == "upgraded" else needed
        causes = [cause for cause in causes if cause != left]
    return f"{start}; {newer[0].version} is not taken because {_joined(causes)}." if causes else f"{start}."


def worded(request: Request) -> str:
    """A request for people: `app (>= 2, < 3)`."""
    limits = limits_of(request)
    return f"{request.package} ({limits})" if limits else request.package


def limits_of(request: Request) -> str:
    """The constraints of a request alone: `>= 2, < 3`."""
    return ", ".join(f"{constraint.operator} {constraint.version}" for constraint in request.constraints)


def _why_absent(problem: Problem, chosen: Mapping[str, Candidate], name: str, here: Candidate | None) -> str:
    if here is None:
        return f"{name}: not installed, and nothing needs it."
    item = problem.universe.installed[name]
    cause = _blocked(problem, chosen, here)
    if cause and (item.asked or here in problem.excluded):
        return f"{name}: {here.version} is removed because {cause}."
    return f"{name}: {here.version} is removed because nothing needs it any more."


def _blocked(problem: Problem, chosen: Mapping[str, Candidate], candidate: Candidate, steps: int = _MOST_STEPS) -> str:
    """What stands against a candidate beside the others as they are chosen; empty if nothing does."""
    rule = problem.excluded.get(candidate)
    if rule is not None:
        return _ruled(problem, rule, candidate)
    for fact in _facts_about(problem, chosen, candidate.package):
        if not fact.request.allows(candidate.version):
            return _pinned(fact)
    number = problem.numbers.get(candidate, 0)
    taken = {problem.numbers.get(other, 0) for other in chosen.values() if other.package != candidate.package}
    for other, conflict in problem.clashes[number].items():
        if other in taken:
            return _conflict(conflict, problem.at(other))
    for need in problem.needs[number]:
        comes = need.package in problem.calm and problem.best(need.package) in need.options
        if taken.isdisjoint(need.options) and not comes:
            return _unmet(problem, chosen, need.options, need.fact, steps)
    return ""


def _unmet(problem: Problem, chosen: Mapping[str, Candidate], options: Sequence[int], fact: Fact, steps: int) -> str:
    said = _said(problem, [fact])
    if options and steps > 1:
        deeper = _blocked(problem, chosen, problem.at(options[0]), steps - 1)
        return f"{said}, and {deeper}" if deeper else said
    return said


def _facts_about(problem: Problem, chosen: Mapping[str, Candidate], name: str) -> Iterator[Wanted | Depends]:
    """Who asks for a package: the goal first, then what stands for the estate, then software."""
    yield from (item for item in problem.goal.wanted if item.request.package == name)
    others = sorted(chosen.values(), key=lambda other: (other.label == other.package, other.label))
    for other in others:
        yield from (Depends(other, request) for request in other.depends if request.package == name)


def _needed_by(problem: Problem, chosen: Mapping[str, Candidate], name: str) -> str:
    found = [fact for fact in _facts_about(problem, chosen, name) if not _is_itself(fact, name)]
    if not found:
        return ""
    fact = found[0]
    who = fact.origin if isinstance(fact, Wanted) else str(fact.candidate)
    limits = limits_of(fact.request)
    return f"{who} needs {f'it ({limits})' if limits else 'it'}"


def _is_itself(fact: Wanted | Depends, name: str) -> bool:
    return isinstance(fact, Depends) and fact.candidate.package == name


def _because(cause: str) -> str:
    return f" because {cause}" if cause else ""


def _pinned(fact: Wanted | Depends) -> str:
    if isinstance(fact, Wanted):
        return f"{fact.origin} needs {worded(fact.request)}"
    if fact.candidate.label != fact.candidate.package:
        return f"{fact.candidate.label} pins {limits_of(fact.request)}"
    return f"{fact.candidate} needs {worded(fact.request)}"


def _ruled(problem: Problem, rule: Rule, candidate: Candidate) -> str:
    if rule in problem.goal.forbidden:
        return f"{rule.origin} forbids {worded(rule.request)}"
    return f"{rule.origin} pins {limits_of(rule.request)}"


def _conflict(fact: Conflicts, other: Candidate) -> str:
    """The conflict between two, told from the side that declares it."""
    if fact.candidate is other or fact.request.package == other.package:
        return f"{fact.candidate} conflicts with {worded(fact.request)}"
    return f"{fact.candidate} conflicts with {other}"


def _from_the_top(facts: Sequence[Fact]) -> list[Fact]:
    """Who asks first, then what each names, so that a chain reads as one."""
    found: list[Fact] = [fact for fact in facts if isinstance(fact, Wanted)]
    left = [fact for fact in facts if not isinstance(fact, Wanted)]
    place = 0
    while left:
        name = found[place].request.package if place < len(found) else _owner(left[0])
        place += 1
        found += [fact for fact in left if _owner(fact) == name]
        left = [fact for fact in left if _owner(fact) != name]
    return found


def _owner(fact: Fact) -> str:
    return "" if isinstance(fact, Wanted) else fact.candidate.package


def _grouped(facts: Iterable[Fact]) -> list[list[Fact]]:
    """Facts of several versions of a package that say the same, together."""
    groups: dict[tuple[object, ...], list[Fact]] = {}
    for fact in facts:
        key = (type(fact), fact.origin if isinstance(fact, Wanted) else fact.candidate.package, fact.request)
        groups.setdefault(key, []).append(fact)
    return list(groups.values())


def _said(problem: Problem, group: Sequence[Fact]) -> str:
    fact = group[0]
    if isinstance(fact, Wanted):
        return f"{fact.origin} needs {worded(fact.request)}{_missing(problem, fact.request)}"
    found = (other.candidate.version for other in group if not isinstance(other, Wanted))
    versions = [str(version) for version in sorted(found, reverse=True)]
    who = f"{fact.candidate.label} {_listed(versions)}"
    several = len(versions) > 1
    if isinstance(fact, Conflicts):
        return f"{who} {'conflict' if several else 'conflicts'} with {worded(fact.request)}"
    verb = "need" if several else "needs"
    if fact.request.package == fact.candidate.package:
        return f"{who} {verb} another version of itself ({limits_of(fact.request)})"
    return f"{who} {verb} {worded(fact.request)}{_missing(problem, fact.request)}"


def _missing(problem: Problem, request: Request) -> str:
    """What there is instead, where a request allows nothing that may be taken."""
    if problem.matches(request):
        return ""
    offered = problem.universe.candidates.get(request.package, ())
    ruled = [candidate for candidate in offered if request.allows(candidate.version)]
    if ruled:
        return f", but {_ruled(problem, problem.excluded[ruled[0]], ruled[0])}" if ruled[0] in problem.excluded else ""
    for version, reason in problem.universe.left_out.get(request.package, ()):
        if _would_do(request, version):
            return f", but {request.package} {version} is not for this machine: {reason.rstrip('.')}"
    if not offered:
        return ", but there is no such package for this machine"
    versions = _listed([str(candidate.version) for candidate in offered[:_MOST_CAUSES]])
    return f", but there {'is' if len(offered) == 1 else 'are'} only {versions}"


def _would_do(request: Request, version: str) -> bool:
    try:
        return request.allows(Version.parse(version))
    except BadInput:
        return False


def _distinct(causes: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(cause for cause in causes if cause))[:_MOST_CAUSES]


def _joined(causes: Sequence[str]) -> str:
    return ", and ".join(causes)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
