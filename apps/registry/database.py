# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the database: SQLite with one writer by default, any other by its URL."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bocage_core._common.errors import BadInput, BocageError
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from .tables import SCHEMA_VERSION, metadata, state

_WRITE = "bocage_write"


class Database:
    """Readers run beside each other; writers take turns, here by a lock and in the database by the row of state."""

    def __init__(self, url: str) -> None:
        try:
            # Parameters are envelopes; they have no place in an error in the journal.
            self.engine = create_engine(url, hide_parameters=True, pool_pre_ping=not url.startswith("sqlite"))
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise BadInput(f"The database URL cannot be used: {error}.") from error
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine)
        self._writing = threading.Lock()
        try:
            self.epoch = self._open()
        except SQLAlchemyError as error:
            raise BocageError(f"The registry's database does not open: {error}.") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, int]]:
        """A transaction with the number of the change that it makes; an exception undoes both."""
        with self._writing, self.engine.connect() as opened:
            connection = opened.execution_options(**{_WRITE: True})
            with connection.begin():
                connection.execute(update(state).values(change=state.c.change + 1))
                yield connection, connection.execute(select(state.c.change)).scalar_one()

    def check(self) -> None:
        """Raises SQLAlchemyError when the database does not answer."""
        with self.reading() as connection:
            connection.execute(select(state.c.epoch)).scalar_one()

    def close(self) -> None:
        self.engine.dispose()

    def _open(self) -> str:
        """Make the tables when they are missing; the epoch tells readers when the database was lost and began anew."""
        metadata.create_all(self.engine)
        with self._writing, self.engine.connect() as opened:
            connection = opened.execution_options(**{_WRITE: True})
            with connection.begin():
                row = connection.execute(select(state)).first()
                if row is None:
                    epoch = secrets.token_hex(8)
                    connection.execute(insert(state).values(id=1, schema_version=SCHEMA_VERSION, epoch=epoch, change=0))
                    return epoch
        if row.schema_version != SCHEMA_VERSION:
            raise BadInput(
                f"The registry's database has schema {row.schema_version}, this program needs {SCHEMA_VERSION}; move it"
                " aside, the next reports fill a new one."
            )
        return str(row.epoch)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver would begin transactions on its own and too late; ours say which kind they are.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "trusted_schema=OFF"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
