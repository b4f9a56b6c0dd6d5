# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry's application: it verifies before it stores, and nobody has to trust what it gives out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from bocage_core._common import timestamps
from bocage_core._common.refused import Code, Refused
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from .actions import Actions
from .database import Database
from .listing import Listing
from .metrics import Metrics
from .readers import Denied
from .routes import router
from .settings import Settings
from .store import Clock, Store
from .waiting import WaitingRoom

THINNING_SECONDS = 600
_log = logging.getLogger("bocage_registry")

_STATUS: dict[Code, int] = {
    "malformed": 400,
    "oversized": 413,
    "wrong_type": 400,
    "bad_signature": 403,
    "unknown_host": 404,
    "wrong_host": 403,
    "old_generation": 409,
    "unknown_generation": 409,
    "replayed": 409,
    "old_counter": 409,
    "forked": 409,
    "below_floor": 409,
    "revoked": 403,
    "expired": 403,
    "enrolment_conflict": 409,
    "wrong_clock": 403,
    "too_many": 503,
}
_DOCUMENTS = {"/v1/enrolments": "enrolment", "/v1/reports": "report", "/v1/actions": "action"}


def create_app(settings: Settings, clock: Clock = timestamps.now) -> FastAPI:
    """An application over the database of the settings; tests give their own clock."""
    database = Database(settings.database_url)
    # The pages of documentation would load scripts from elsewhere; the OpenAPI document itself is published.
    app = FastAPI(title="Bocage registry", version="1", lifespan=_lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.database = database
    app.state.store = Store(database, settings, clock)
    app.state.listing = Listing(database)
    app.state.actions = Actions(database, settings, clock)
    app.state.waiting = WaitingRoom(settings.waiting_hosts)
    app.state.metrics = Metrics()
    app.include_router(router)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Denied, _denied)
    app.add_exception_handler(SQLAlchemyError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    thinning = asyncio.create_task(_thin(app))
    yield
    thinning.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await thinning
    app.state.database.close()


async def _thin(app: FastAPI) -> None:
    while True:
        try:
            removed = await run_in_threadpool(app.state.store.thin_history)
            await run_in_threadpool(app.state.actions.forget_expired)
            if removed:
                _log.info("Removed %d reports from the history that are past the declared time.", removed)
        except SQLAlchemyError as error:
            _log.warning("The history could not be thinned and will be tried again: %s", error)
        await asyncio.sleep(THINNING_SECONDS)


def _answer(status: int, code: str, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence, "code": code}, status_code=status, headers=headers)


# Starlette types handlers more widely than it calls them, hence the assertions.
async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    document = _DOCUMENTS.get(request.url.path)
    if document is not None:
        request.app.state.metrics.count(document, error.code)
        _log.warning("Refused (%s): %s", error.code, error)
    return _answer(_STATUS[error.code], error.code, str(error))


async def _denied(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Denied)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return _answer(error.status, error.code, str(error), headers)


async def _unavailable(_request: Request, error: Exception) -> Response:
    _log.error("The database failed: %s", error)
    return _answer(503, "unavailable", "The registry's database does not answer; keep the document and send it later.")


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    names = ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()}))
    return _answer(422, "invalid_parameter", f"These parameters have a value that is not accepted: {names}.")


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    headers = dict(error.headers) if error.headers else None
    return _answer(error.status_code, code, f"This question is not answered here: {error.detail}.", headers)


async def _failed(_request: Request, error: Exception) -> Response:
    _log.error("A question failed inside the registry.", exc_info=error)
    return _answer(500, "internal", "The registry failed on this; its journal says why. Send it again later.")
