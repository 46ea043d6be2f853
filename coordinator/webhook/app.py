"""The relay over HTTP: two routes, JSON answers, and nothing of a body in any of them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from coordinator.errors import Misconfigured, Refused, Unreachable
from coordinator.webhook.delivery import clean_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from coordinator.webhook.health import ForgeHealth
    from coordinator.webhook.relay import Relay

BODY_LIMIT: Final = 1024 * 1024
"""Bytes. A larger body could not be passed on: nginx, which stands before many forges, takes no larger request than
this by default (``client_max_body_size``). A payload without its issue's text is about 10 kB."""
READ_SECONDS: Final = 5.0
"""For a body to arrive. Gitea gives up after this time (``[webhook] DELIVER_TIMEOUT``)."""
RETRY_SECONDS: Final = 30
"""What is said in ``Retry-After``."""

_LOG = logging.getLogger(__name__)


def make_app(
    relay: Relay,
    health: ForgeHealth,
    *,
    version: str,
    clock: Callable[[], float],
    body_limit: int = BODY_LIMIT,
    read_seconds: float = READ_SECONDS,
) -> FastAPI:
    """Return the application; the relay starts and stops with it. `clock` counts seconds for the uptime."""
    started = clock()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        relay.start()
        yield
        await asyncio.to_thread(relay.stop)

    async def webhook(request: Request) -> JSONResponse:
        name = clean_id(request.headers.get("x-gitea-delivery") or request.headers.get("x-forgejo-delivery", ""))
        try:
            body = await _body(request, body_limit, read_seconds)
        except HTTPException as error:
            _LOG.warning("delivery %s: turned away: %s", name, error.detail)
            raise
        return _answered(relay, name, request, body)

    async def state() -> JSONResponse:
        return JSONResponse(
            {
                "status": "ok",
                "version": version,
                "uptime_seconds": round(clock() - started, 1),
                "forge_reachable": await health.reachable(),
            }
        )

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    app.add_api_route("/webhook/gitea", webhook, methods=["POST"])
    app.add_api_route("/health", state, methods=["GET"])
    app.add_exception_handler(Exception, _internal_error)
    return app


async def _body(request: Request, limit: int, seconds: float) -> bytes:
    _check_type(request)
    try:
        return await asyncio.wait_for(_read(request, limit), seconds)
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive") from None


def _check_type(request: Request) -> None:
    """Want JSON: what a form hook sends is not what it signs (``services/webhook/deliver.go``)."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "application/json":
        detail = "the content type is not application/json; choose it in the webhook"
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


async def _read(request: Request, limit: int) -> bytes:
    """Read the body up to the limit, whatever its length claims to be."""
    too_large = HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit} bytes")
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _answered(relay: Relay, name: str, request: Request, body: bytes) -> JSONResponse:
    try:
        taken = relay.take(name, request.headers.items(), body)
    except Refused as error:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, error.what) from None
    except Misconfigured as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, error.what) from None
    except Unreachable as error:
        waiting = {"Retry-After": str(RETRY_SECONDS)}
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, error.what, headers=waiting) from None
    return JSONResponse(taken.model_dump())


async def _internal_error(_request: Request, error: Exception) -> JSONResponse:
    """Name a bug by its type only: its message could hold a secret or somebody's text."""
    _LOG.error("internal error: %s. This is a fault of the coordinator: please report it.", type(error).__name__)
    return JSONResponse({"detail": "internal error"}, HTTPStatus.INTERNAL_SERVER_ERROR)
