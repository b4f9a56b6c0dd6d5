# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints: read a bounded body, hand it on, word the answer."""

from __future__ import annotations

from typing import Annotated, Any

from bocage_core._common import fields
from bocage_core._common.refused import Refused
from bocage_core._state.action import MAX_ACTION_BYTES
from bocage_core._state.enrolment import LABEL, MAX_ENROLMENT_BYTES
from bocage_core._state.report import MAX_REPORT_BYTES
from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from . import schemas
from .listing import MAX_PAGE, actions_page
from .readers import Denied, current_reader, estate_wide, scope
from .settings import Reader
from .store import Stored
from .waiting import MAX_WAIT_SECONDS, RETRY_SECONDS, wait_for

router = APIRouter()
ReaderHere = Annotated[Reader, Depends(current_reader)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Wait = Annotated[int, Query(ge=0, le=MAX_WAIT_SECONDS)]
Tenant = Annotated[str | None, Query(pattern=f"^{LABEL.pattern}$")]

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorDocument} for status in (400, 403, 404, 409, 413, 503)
}
_READ_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorDocument} for status in (400, 401, 403, 404, 422, 503)
}


async def bounded_body(request: Request, maximum: int, what: str) -> bytes:
    """The body, counted while it comes in: a length that the sender declares is only what it says."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > maximum:
            raise Refused("oversized", f"{what} has more than the {maximum} bytes that are accepted.")
    return bytes(body)


@router.post(
    "/v1/enrolments",
    openapi_extra=schemas.envelope_body(MAX_ENROLMENT_BYTES),
    responses={**_ERRORS, 200: {"model": schemas.StoredDocument}},
)
async def post_enrolment(request: Request) -> Response:
    """Take an enrolment or a revocation that the estate's enrolment key has signed."""
    raw = await bounded_body(request, MAX_ENROLMENT_BYTES, "The enrolment")
    return _stored(request, "enrolment", await run_in_threadpool(request.app.state.store.add_enrolment, raw))


@router.post(
    "/v1/reports",
    openapi_extra=schemas.envelope_body(MAX_REPORT_BYTES),
    responses={**_ERRORS, 200: {"model": schemas.StoredDocument}},
)
async def post_report(request: Request) -> Response:
    """Take a report that an enrolled host has signed; the newest one again is answered as a duplicate."""
    raw = await bounded_body(request, MAX_REPORT_BYTES, "The report")
    return _stored(request, "report", await run_in_threadpool(request.app.state.store.add_report, raw))


@router.get("/v1/hosts", responses={**_READ_ERRORS, 200: {"model": schemas.HostsDocument}})
def get_hosts(
    request: Request, reader: ReaderHere, since: str | None = None, tenant: Tenant = None, limit: Limit = 1000
) -> Response:
    """Hosts that changed after the cursor `since`, oldest change first; ask again with the new cursor while `more`."""
    page = request.app.state.listing.hosts(since, scope(reader, tenant), limit)
    headers = {"ETag": page.etag, "Cache-Control": "private, no-cache"}
    if _matches(request.headers.get("if-none-match"), page.etag):
        return Response(status_code=304, headers=headers)
    return Response(page.body, media_type="application/json", headers=headers)


@router.get("/v1/hosts/{host_id}", responses={**_READ_ERRORS, 200: {"model": schemas.HostDocument}})
def get_host(request: Request, reader: ReaderHere, host_id: str) -> Response:
    return _found(host_id, request.app.state.listing.host(_host_id(host_id), reader.tenant))


@router.get("/v1/hosts/{host_id}/history", responses={**_READ_ERRORS, 200: {"model": schemas.HistoryDocument}})
def get_history(
    request: Request,
    reader: ReaderHere,
    host_id: str,
    before: Annotated[int | None, Query(ge=1, le=fields.MAX_INTEGER)] = None,
    limit: Limit = 100,
) -> Response:
    """Reports of one host, newest first; older ones with `before`."""
    body = request.app.state.listing.history(_host_id(host_id), reader.tenant, before, limit)
    return _found(host_id, body)


@router.post(
    "/v1/actions",
    openapi_extra=schemas.envelope_body(MAX_ACTION_BYTES),
    responses={**_ERRORS, 200: {"model": schemas.TakenDocument}},
)
async def post_action(request: Request) -> Response:
    """Take an action that one of the estate's action keys has signed, and hand it to its hosts until it ends."""
    raw = await bounded_body(request, MAX_ACTION_BYTES, "The action")
    taken = await run_in_threadpool(request.app.state.actions.add, raw)
    request.app.state.waiting.wake(taken.action.host_ids)
    request.app.state.metrics.count("action", "duplicate" if taken.duplicate else "accepted")
    return JSONResponse(
        {
            "nonce": taken.action.nonce,
            "hosts": len(taken.action.host_ids) - len(taken.unknown),
            "unknown": list(taken.unknown),
            "duplicate": taken.duplicate,
        }
    )


@router.get(
    "/v1/hosts/{host_id}/actions",
    openapi_extra=schemas.HOST_PROOF,
    responses={**_READ_ERRORS, 200: {"model": schemas.ActionsDocument}},
)
async def get_actions(request: Request, host_id: str, wait: Wait = 0, after: str | None = None) -> Response:
    """What waits for a host that proves who it is; with `wait`, as soon as something comes, or empty at the end."""
    state = request.app.state
    await run_in_threadpool(state.actions.check_host, _host_id(host_id), request.headers.get("authorization"))
    retry = 0
    with state.waiting.place(host_id) as event:
        # the place is taken before the first look, so that nothing comes unseen between the two
        found = await run_in_threadpool(state.actions.pending, host_id, after)
        if not found.envelopes and wait and event is not None:
            await wait_for(event, wait)
            found = await run_in_threadpool(state.actions.pending, host_id, after)
        elif event is None:
            retry = RETRY_SECONDS
    return Response(actions_page(found, retry), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get("/healthz", response_class=JSONResponse)
def healthz(request: Request) -> dict[str, str]:
    """Whether the registry and its database answer."""
    request.app.state.database.check()
    return {"status": "ok"}


@router.get("/metrics", response_class=PlainTextResponse, responses=_READ_ERRORS)
def metrics(request: Request, reader: ReaderHere) -> str:
    estate_wide(reader)
    text: str = request.app.state.metrics.text(
        {**request.app.state.listing.counts(), "waiting": len(request.app.state.waiting)}
    )
    return text


def _stored(request: Request, document: str, stored: Stored) -> Response:
    request.app.state.metrics.count(document, "duplicate" if stored.duplicate else "accepted")
    return JSONResponse(
        {
            "host_id": stored.host_id,
            "name": stored.name,
            "generation": stored.generation,
            "counter": stored.counter,
            "duplicate": stored.duplicate,
            "warnings": list(stored.warnings),
        }
    )


def _host_id(text: str) -> str:
    if not fields.UUID.fullmatch(text):
        raise Denied(404, "not_found", "There is no such host; host ids are lower-case UUIDs.")
    return text


def _found(host_id: str, body: bytes | None) -> Response:
    if body is None:
        raise Denied(404, "not_found", f"There is no host {host_id} here that this token may see.")
    return Response(body, media_type="application/json", headers={"Cache-Control": "private, no-cache"})


def _matches(header: str | None, etag: str) -> bool:
    return header is not None and etag in [one.strip().removeprefix("W/") for one in header.split(",")]
