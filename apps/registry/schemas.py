# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of questions and answers, for the published OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Signature(BaseModel):
    keyid: str
    sig: str


class EnvelopeDocument(BaseModel):
    """A DSSE envelope."""

    model_config = ConfigDict(extra="forbid")
    payload: str
    payloadType: str
    signatures: list[Signature] = Field(min_length=1, max_length=4)


class StoredDocument(BaseModel):
    host_id: str
    name: str
    generation: int
    counter: int | None
    duplicate: bool
    warnings: list[str]


class HostDocument(BaseModel):
    host_id: str
    received_at: str | None
    enrolment: dict[str, Any]
    report: dict[str, Any] | None
    fork: list[dict[str, Any]] | None


class HostsDocument(BaseModel):
    cursor: str
    more: bool
    reset: bool
    hosts: list[HostDocument]


class ReceivedReport(BaseModel):
    received_at: str
    report: dict[str, Any]


class HistoryDocument(BaseModel):
    host_id: str
    before: int | None
    enrolments: list[dict[str, Any]]
    reports: list[ReceivedReport]


class TakenDocument(BaseModel):
    nonce: str
    hosts: int
    unknown: list[str]
    duplicate: bool


class ActionsDocument(BaseModel):
    cursor: str
    retry_seconds: int
    actions: list[dict[str, Any]]


class ErrorDocument(BaseModel):
    error: str
    code: str


def envelope_body(maximum: int) -> dict[str, Any]:
    """The request body in OpenAPI's words; the endpoints read raw bytes, because what was signed is bytes."""
    return {
        "requestBody": {
            "required": True,
            "description": f"A signed envelope of at most {maximum} bytes.",
            "content": {"application/json": {"schema": EnvelopeDocument.model_json_schema()}},
        }
    }


# FastAPI would take the header out of the description where it is no parameter of the function.
HOST_PROOF: dict[str, Any] = {
    "description": "The header Authorization holds Bocage-Host and, in base64, a statement signed with the report key."
}
