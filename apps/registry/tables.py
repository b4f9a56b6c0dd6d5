# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry's tables: envelopes as they were received, and beside them only what finding and ordering needs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 1
metadata = MetaData()

# One row: which database this is, and the number of the last change. Updating it first makes writers take turns.
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("change", BigInteger, nullable=False),
)

hosts = Table(
    "hosts",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("name", String(253), nullable=False, index=True),
    Column("tenant", String(63)),
    Column("generation", Integer, nullable=False),
    Column("report_key_id", String(64), nullable=False, unique=True),
    Column("revoked", Boolean, nullable=False),
    Column("enrolment", LargeBinary, nullable=False),
    Column("change", BigInteger, nullable=False, unique=True),
    Column("report", LargeBinary),
    Column("report_generation", Integer),
    Column("report_counter", BigInteger),
    Column("report_digest", String(64)),
    Column("report_previous", String(64)),
    Column("report_issued_at", BigInteger),
    Column("received_at", BigInteger),
    # Two reports that cannot both come from one machine: the proof, for readers to check themselves.
    Column("fork_accepted", LargeBinary),
    Column("fork_refused", LargeBinary),
    Index("hosts_by_tenant", "tenant", "change"),
)

# What a new generation of a host begins without.
LAST_REPORT = (
    "report",
    "report_generation",
    "report_counter",
    "report_digest",
    "report_previous",
    "report_issued_at",
    "received_at",
    "fork_accepted",
    "fork_refused",
)

enrolment_history = Table(
    "enrolment_history",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("host_id", String(36), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

report_history = Table(
    "report_history",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("host_id", String(36), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("day", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False, index=True),
    Column("envelope", LargeBinary, nullable=False),
    UniqueConstraint("host_id", "generation", "counter"),
    Index("report_history_by_day", "host_id", "day", "id"),
)

# Actions wait here until they end; a database of before gets these tables when it is opened.
actions = Table(
    "actions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("nonce", String(32), nullable=False, unique=True),
    Column("not_after", BigInteger, nullable=False, index=True),
    Column("envelope", LargeBinary, nullable=False),
    # a number is never given out twice, because hosts ask for what came after one
    sqlite_autoincrement=True,
)

action_hosts = Table(
    "action_hosts",
    metadata,
    Column("host_id", String(36), primary_key=True),
    Column("action_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Index("action_hosts_by_action", "action_id"),
)
