# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package VERB ...`: text for people, JSON for programs, one sentence where something is wrong.

Loading is most of the time of a short call, so that each verb loads what it needs and no more.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from bocage_core._common.errors import BadInput, BocageError, Untrusted

from .answers import BAD_INPUT, FAILED, REFUSED, Answer, plain
from .options import PROGRAM, parse

# The module that has a verb, as the function of the verb's name.
_MODULES = {
    "check-keys": "publisher",
    "commit": "publisher",
    "compare-versions": "verify",
    "diff": "diff",
    "export": "publisher",
    "import": "importing",
    "index": "index",
    "init": "init",
    "build": "make",
    "sign": "make",
    "online-keys": "publisher",
    "publish": "publish",
    "refresh": "publisher",
    "replicate": "publisher",
    "show": "show",
    "sign-change": "changes",
    "test": "trial",
    "verify": "verify",
    "verify-action": "verify",
    "verify-index": "verify",
}
# A verb that is a word of the language.
_FUNCTIONS = {"import": "take_in"}
_JUDGING = ("verify", "verify-action", "verify-index")


def main(arguments: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else list(arguments)
    # before the options are known, as they may be what is wrong
    as_json = "--json" in given
    verb = next((word for word in given if not word.startswith("-")), "")
    try:
        options = parse(given)
        as_json, verb = options.json, options.verb
        answer = _answer(options)
    except BadInput as error:
        answer = _fault(str(error), verb, BAD_INPUT)
    except Untrusted as error:
        answer = _fault(str(error), verb, REFUSED)
    except BocageError as error:
        answer = _fault(str(error), verb, FAILED)
    except OSError as error:
        answer = _fault(*_of_system(error, verb))
    except Exception as error:
        # a fault of ours is told, too, and is never taken for a verdict
        sentence = f"This is a fault of {PROGRAM}, please report it: {type(error).__name__}: {error}"
        answer = _fault(sentence, verb, FAILED)
    except KeyboardInterrupt:
        answer = _fault("Ended from outside; what was being written is not there.", verb, FAILED)
    return _say(answer, as_json)


def _answer(options: Namespace) -> Answer:
    module = import_module(f".{_MODULES[options.verb]}", __package__)
    answer: Answer = getattr(module, _FUNCTIONS.get(options.verb, options.verb.replace("-", "_")))(options)
    return answer


def _fault(sentence: str, verb: str, status: int) -> Answer:
    document = {"error": sentence}
    # who reads a verdict reads one here, too: what could not be judged is not accepted
    more = {"accepted": False, "reason": sentence} if verb in _JUDGING else {}
    return Answer({**document, **more}, [], status)


def _of_system(error: OSError, verb: str) -> tuple[str, str, int]:
    """A file that is not there, or is a folder, was named by whoever called; the rest is the machine's."""
    named = isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError))
    where = plain(error.filename) if error.filename else "a file"
    return f"{where}: {error.strerror or error}.", verb, BAD_INPUT if named else FAILED


def _say(answer: Answer, as_json: bool) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # what a terminal cannot show is no reason to fail after the deed
            stream.reconfigure(errors="backslashreplace")
    if "error" in answer.document:
        print(f"{PROGRAM}: {plain(answer.document['error'])}", file=sys.stderr)
    try:
        if as_json:
            print(json.dumps(answer.document, sort_keys=True))
        else:
            for line in answer.lines:
                print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read has enough; nothing is flushed into the closed pipe at exit
        sys.stdout = None
    return answer.status


if __name__ == "__main__":
    sys.exit(main())
