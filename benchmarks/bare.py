"""The floor of the front door: the least a FastAPI server can do for a form with one durable commit.

python -m benchmarks.bare FOLDER     serves until stopped; says its address first
"""

from __future__ import annotations

import socket
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse


def application(database: sqlite3.Connection) -> FastAPI:
    """One route, one insert, as durable as ours."""
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE signups (email TEXT PRIMARY KEY, letter TEXT)")
    app, lock = FastAPI(), threading.Lock()

    @app.post("/subscribe")
    def subscribe(email: Annotated[str, Form()], letter: Annotated[str, Form()] = "") -> HTMLResponse:
        with lock:
            database.execute("INSERT INTO signups VALUES (?, ?)", (email, letter))
        return HTMLResponse("<!doctype html><title>Thank you</title>")

    return app


def main(folder: Path) -> None:
    """Serve it."""
    database = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
    config = uvicorn.Config(application(database), access_log=False, log_level="warning", proxy_headers=False)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        print(f"Serving at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
