# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-registry serve --config FILE` and `bocage-registry openapi`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bocage_core._common.errors import BadInput, BocageError

from .settings import Settings, read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bocage-registry", description="Keeps the signed reports of an estate.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve_verb = verbs.add_parser("serve", help="answer hosts and readers")
    serve_verb.add_argument("--config", type=Path, default=Path("/etc/bocage/registry.json"), help="the settings file")
    serve_verb.add_argument("--listen", help="unix:/path or address:port, instead of that in the settings")
    verbs.add_parser("openapi", help="print the OpenAPI document")
    options = parser.parse_args(arguments)
    try:
        if options.verb == "openapi":
            return _openapi()
        settings = read_settings(options.config)
        _serve(settings, options.listen or settings.listen)
    except BocageError as error:
        print(f"bocage-registry: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings, listen: str) -> None:
    import uvicorn

    from .app import create_app

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    app = create_app(settings)

    class Server(uvicorn.Server):
        def handle_exit(self, *arguments: Any) -> None:
            # or stopping would take as long as hosts wait for actions
            app.state.waiting.close()
            super().handle_exit(*arguments)

    if listen.startswith("unix:"):
        config = uvicorn.Config(app, uds=listen.removeprefix("unix:"), access_log=False, server_header=False)
    else:
        host, _colon, port = listen.rpartition(":")
        if not host or not port.isdigit():
            raise BadInput(f"The listening place {listen} is neither unix:/path nor address:port.")
        config = uvicorn.Config(app, host=host.strip("[]"), port=int(port), access_log=False, server_header=False)
    Server(config).run()


def _openapi() -> int:
    from .app import create_app

    app = create_app(Settings(database_url="sqlite://", enrolment_key=bytes(32)))
    print(json.dumps(app.openapi(), indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
