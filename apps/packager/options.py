# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: verbs, their options, and what each is for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from bocage_core._common.errors import BadInput

PROGRAM = "bocage-package"
CODES = """exit codes:
  0  done, or accepted
  1  refused: not accepted, not passed, or (diff) not the same
  2  usage or bad input; nothing was changed
  3  could not be done: a disk, a network or a container failed
"""
# More than one reads: the kinds of packages, each a template of `init`.
TEMPLATES = ("base", "group", "host", "unit", "profile", "selfservice", "policy")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, like everything else here; an option has one spelling."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[:1].upper()}{message[1:].rstrip('.')}; see {self.prog} --help.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of one call. Raises BadInput; SystemExit only for --help."""
    return _parser().parse_args(arguments)


@cache
def _parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        description="Makes, signs, judges, tries and publishes packages.",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on the standard output")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    for add in (_making, _judging, _reading, _repository, _publisher):
        add(verbs)
    for verb in verbs.choices.values():
        # after the verb, too; absent there, it does not undo the one before the verb
        verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as JSON, for programs")
    return parser


def _making(verbs: argparse._SubParsersAction[_Parser]) -> None:
    init = verbs.add_parser("init", help="begin a package: a folder with its control file and setup.py")
    init.add_argument("folder", type=Path, help="the new folder")
    source = init.add_mutually_exclusive_group()
    source.add_argument(
        "--template", choices=(*TEMPLATES, "agent"), help="an empty package of this type (default: base)"
    )
    source.add_argument("--deb", type=Path, metavar="FILE", help="from a Debian package")
    source.add_argument("--appimage", metavar="FILE|URL", help="from an AppImage; a URL needs --sha256")
    source.add_argument(
        "--flatpak", metavar="REF|FILE", help="from an application's id, a full ref or a .flatpakref file"
    )
    source.add_argument("--folder", dest="content", type=Path, metavar="PATH", help="from a folder of files to place")
    init.add_argument("--package", help="name of the package; else it is made from the source")
    init.add_argument("--version", help="its version; else it is made from the source")
    init.add_argument("--prefix", default="", help="put before a name that is made, as in acme-")
    init.add_argument("--maintainer", default="", help="who answers for it")
    init.add_argument("--sha256", metavar="HEX", help="digest of what a URL gives")
    init.add_argument("--target", metavar="PATH", help="where the files of --folder go on a host")
    init.add_argument("--archive", type=Path, metavar="FILE", help="for --template agent: the agent, by make build")
    init.add_argument("--remote", metavar="NAME|URL", help="where a Flatpak comes from (default: flathub)")

    build = verbs.add_parser("build", help="make the unsigned .wapt file of a folder")
    build.add_argument("folder", type=Path)
    build.add_argument("--output", type=Path, metavar="DIR", help="folder for the file (default: beside the source)")

    sign = verbs.add_parser("sign", help="sign a folder, or a .wapt file anew, into a signed .wapt file")
    sign.add_argument("source", type=Path, metavar="FOLDER|FILE")
    _signer(sign)
    sign.add_argument(
        "--trust", type=Path, metavar="DIR", help="for a file that others signed: it must be good under this trust"
    )
    sign.add_argument("--output", type=Path, metavar="DIR", help="folder for the file (default: beside the source)")
    sign.add_argument("--at", metavar="TIME", help="the date of the signature (default: now)")

    take = verbs.add_parser("import", help="take over packages of another estate: verify under theirs, sign under ours")
    take.add_argument("sources", nargs="+", metavar="FILE|URL|NAME", help=".wapt files, or names with --index")
    take.add_argument(
        "--index", metavar="FILE|URL", help="an index Packages, of which the newest of each NAME is taken"
    )
    take.add_argument(
        "--architecture", metavar="WORD", help="only packages of the index for this processor, or for all"
    )
    take.add_argument("--maturity", metavar="WORD", help="only packages of the index with this maturity, as PROD")
    take.add_argument("--locale", metavar="WORD", help="only packages of the index for this language, or for all")
    take.add_argument(
        "--trust", type=Path, required=True, metavar="DIR", help="whom the other estate trusts; see verify"
    )
    take.add_argument("--against", type=Path, metavar="FILE", help="what we have already: show the difference to it")
    _signer(take)
    take.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for our packages")
    take.add_argument(
        "--at", metavar="TIME", help="judge as of this time, which is the signature's, too (default: now)"
    )
    take.add_argument("--plan", action="store_true", help="verify and show, and write nothing")

    test = verbs.add_parser("test", help="install and remove a package in a container of the lab")
    test.add_argument("file", type=Path, metavar="FOLDER|FILE")
    test.add_argument("--image", help="image of the container (default: the lab's)")
    test.add_argument("--network", default="bocage-management", help="its network (default: the lab's)")
    test.add_argument("--apt-proxy", default="http://198.18.3.2:3142", metavar="URL", help="default: the lab's; or ''")
    test.add_argument("--podman", default=None, help="podman, or the lab's wrapper of it")
    test.add_argument("--timeout", type=int, default=900, metavar="SECONDS", help="for each step (default: 900)")
    test.add_argument("--keep", action="store_true", help="leave the container for a look inside")


def _signer(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--certificate", type=Path, required=True, metavar="FILE", help="PEM, the signer's first")
    key = verb.add_mutually_exclusive_group(required=True)
    key.add_argument("--key", type=Path, metavar="FILE", help="its private key (PEM, PKCS#8)")
    key.add_argument("--pkcs11", metavar="URI", help="its key on a token, as pkcs11:token=estate;object=developer")
    verb.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="holds the key's passphrase, or the token's PIN"
    )


def _judging(verbs: argparse._SubParsersAction[_Parser]) -> None:
    verify = verbs.add_parser("verify", help="is a package signed by whom we trust, and whole (X.509 part of the rule)")
    verify.add_argument("file", type=Path, metavar="FILE.wapt")
    index = verbs.add_parser("verify-index", help="the entries of a Packages index: which are signed by whom we trust")
    index.add_argument("file", type=Path, metavar="Packages")
    action = verbs.add_parser("verify-action", help="is a signed action from whom we trust, and for this moment")
    action.add_argument("file", type=Path, metavar="FILE")
    action.add_argument(
        "--max-age", type=int, default=60, metavar="SECONDS", help="age, and lead, of an action (default: 60)"
    )
    for verb in (verify, index, action):
        verb.add_argument(
            "--trust",
            type=Path,
            required=True,
            metavar="DIR",
            help="PEM certificates (*.crt, *.pem): authorities or pinned signers; revocation lists (*.crl)",
        )
        verb.add_argument("--at", metavar="TIME", help="judge as of this time (default: now)")
    compare = verbs.add_parser("compare-versions", help="-1, 0 or 1, as A is older than, equal to or newer than B")
    compare.add_argument("a", metavar="A")
    compare.add_argument("b", metavar="B")


def _reading(verbs: argparse._SubParsersAction[_Parser]) -> None:
    show = verbs.add_parser("show", help="control, files and signer of a package, not judged")
    show.add_argument("file", type=Path, metavar="FOLDER|FILE")
    diff = verbs.add_parser("diff", help="what differs between two packages: control, files, signer")
    diff.add_argument("old", type=Path, metavar="OLD")
    diff.add_argument("new", type=Path, metavar="NEW")


def _repository(verbs: argparse._SubParsersAction[_Parser]) -> None:
    index = verbs.add_parser("index", help="write the index Packages (for WAPT agents) of a folder of packages")
    index.add_argument("folder", type=Path, help="holds .wapt files")
    index.add_argument("--output", type=Path, metavar="FILE", help="default: Packages in that folder")
    publish = verbs.add_parser("publish", help="sign packages into a repository: a change for commit, or at once")
    publish.add_argument("files", type=Path, nargs="*", metavar="FILE.wapt")
    publish.add_argument(
        "--repository", type=Path, required=True, metavar="DIR", help="the repository, or a copy of it"
    )
    publish.add_argument("--trust", type=Path, required=True, metavar="DIR", help="what hosts trust; see verify")
    publish.add_argument(
        "--key", action="append", default=[], metavar="ROLE=FILE", help="key of a list, as base=base.key; repeatable"
    )
    publish.add_argument("--passphrase-file", type=Path, metavar="FILE", help="holds the passphrase of these keys")
    publish.add_argument("--site", help="site of the hosts whose packages these are")
    publish.add_argument("--retire", action="append", default=[], metavar="PATH", help="target to list no longer")
    where = publish.add_mutually_exclusive_group(required=True)
    where.add_argument("--output", type=Path, metavar="CHANGE", help="file for the change, to be carried to commit")
    where.add_argument(
        "--online-keys", type=Path, metavar="DIR", help="keys of snapshot and timestamp: publish at once"
    )
    change = verbs.add_parser("sign-change", help="add the signature of another holder to a change, before commit")
    change.add_argument("change", type=Path, metavar="CHANGE", help="the file; it gets the signature")
    change.add_argument("--role", required=True, metavar="ROLE", help="whose lists to sign, as targets or base")
    change.add_argument("--root", type=Path, required=True, metavar="FILE", help="the pinned root")
    change.add_argument(
        "--repository", type=Path, metavar="DIR", help="a copy of the repository: show the difference to it"
    )
    key = change.add_mutually_exclusive_group(required=True)
    key.add_argument("--key", type=Path, metavar="FILE", help="the holder's private key")
    key.add_argument("--pkcs11", metavar="URI", help="the key on a token, as pkcs11:token=estate;id=%%02")
    change.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="holds the key's passphrase, or the token's PIN"
    )
    change.add_argument("--plan", action="store_true", help="check and show, and write nothing")


def _publisher(verbs: argparse._SubParsersAction[_Parser]) -> None:
    keys = verbs.add_parser("online-keys", help="make the keys of snapshot and timestamp on the host that publishes")
    keys.add_argument("folder", type=Path, help="where they stay")
    keys.add_argument(
        "--generation", type=int, default=1, metavar="NUMBER", help="a higher one makes new keys beside the old ones"
    )
    keys.add_argument(
        "--repository",
        type=Path,
        metavar="DIR",
        help="remove keys of other generations once its root names these alone",
    )
    commit = verbs.add_parser("commit", help="publish a change that others signed; the first makes the repository")
    commit.add_argument("change", type=Path, metavar="FILE")
    commit.add_argument(
        "--root-first",
        action="store_true",
        help="a new root without the keys of the one before, as where they are lost",
    )
    refresh = verbs.add_parser("refresh", help="sign snapshot and timestamp again where they are about to end")
    for verb in (commit, refresh):
        verb.add_argument(
            "--keys",
            type=Path,
            required=True,
            metavar="DIR",
            help="keys of snapshot and timestamp; with authorities.pem beside them, their ends are told, too",
        )
        verb.add_argument("--snapshot-days", type=int, default=7, metavar="DAYS", help="validity (default: 7)")
        verb.add_argument("--timestamp-hours", type=int, default=24, metavar="HOURS", help="validity (default: 24)")
    replicate = verbs.add_parser("replicate", help="bring an untrusted copy up to date")
    replicate.add_argument("--root", type=Path, required=True, metavar="FILE", help="the pinned root")
    replicate.add_argument(
        "--from", dest="source", action="append", required=True, metavar="URL|DIR", help="the best one first"
    )
    export = verbs.add_parser("export", help="write the metadata that is served into one file, for whoever signs lists")
    export.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file (tar)")
    check = verbs.add_parser("check-keys", help="that a publisher holds no private key but those of two roles")
    check.add_argument("--more", type=Path, action="append", default=[], metavar="DIR", help="another folder to search")
    for verb in (keys, commit, refresh, replicate, export):
        verb.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    for verb in (commit, refresh, replicate, export, check):
        verb.add_argument("folder", type=Path, metavar="REPOSITORY")
