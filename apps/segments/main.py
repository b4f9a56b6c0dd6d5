# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-segments run` and `bocage-segments status`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bocage_core._common.errors import BocageError

from .settings import DEFAULT_PATH, read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bocage-segments", description="Elects the active gateway of each segment.")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="the settings file")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="take part in the election until it is stopped")
    verbs.add_parser("status", help="show what the running one last wrote")
    options = parser.parse_args(arguments)
    try:
        settings = read_settings(options.config)
        if options.verb == "status":
            sys.stdout.write(settings.status_file.read_text())
        else:
            from .loop import Loop

            Loop(settings).run()
    except BocageError as error:
        print(f"bocage-segments: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"bocage-segments: {error.strerror}: {error.filename or 'a socket'}.", file=sys.stderr)
        return 1
    return 0
