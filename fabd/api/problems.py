"""Every failure becomes a `Problem`, with a status that stays the same from release to release."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Event

from fabd import clock
from fabd.errors import (
    ConfigError,
    Conflict,
    FabdError,
    JobRejected,
    LinkLost,
    MachineFault,
    NotAllowed,
    NotFound,
    Refused,
    StoreError,
)
from fabd.model import Message
from fabd.views import Problem, Say

log = structlog.get_logger(__name__)


class TooLarge(JobRejected):
    """More bytes than a file may have."""


STATUS: dict[type[FabdError], HTTPStatus] = {
    ConfigError: HTTPStatus.BAD_REQUEST,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Refused: HTTPStatus.UNPROCESSABLE_ENTITY,
    MachineFault: HTTPStatus.BAD_GATEWAY,  # the machine behind us failed: something may have been done
    LinkLost: HTTPStatus.BAD_GATEWAY,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    JobRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    FabdError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each error; an error that is not listed has that of its nearest base."""


def status_of(error: FabdError) -> HTTPStatus:
    """The status that `error` is answered with."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def answer(status: int, message: Message, details: Sequence[Message] = ()) -> Response:
    """The response that carries `message` as a `Problem`."""
    problem = Problem(problem=Say.of(message), details=tuple(Say.of(detail) for detail in details))
    return Response(problem.model_dump_json(), status, media_type="application/json")


def handle(app: FastAPI) -> None:
    """Make `app` answer every failure with a `Problem`."""
    app.add_exception_handler(FabdError, _fabd_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_middleware(Boundary)


class Boundary:
    """Outermost: what nobody expected is logged under an id, and the caller is told that id and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(event: Event) -> None:
            nonlocal started
            started = True
            await send(event)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            log.info("client-went-away", path=scope["path"])
        except Exception:  # the boundary of one request: a bug in it must not end the daemon
            incident = clock.token(4)
            log.exception("request-failed", incident=incident, method=scope["method"], path=scope["path"])
            if started:
                raise  # half an answer is sent: only breaking the connection says so
            message = Message(code="api-unexpected", params={"incident": incident})
            await answer(HTTPStatus.INTERNAL_SERVER_ERROR, message)(scope, receive, send)


async def _fabd_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, FabdError)
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request-failed", code=error.message.code, detail=str(error))
    details = error.problems if isinstance(error, ConfigError) else ()
    return answer(status, error.message, details)


async def _invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [_invalid_field(found) for found in error.errors()]
    return answer(HTTPStatus.BAD_REQUEST, Message(code="api-request-invalid"), details)


def _invalid_field(found: dict[str, Any]) -> Message:
    where = " > ".join(str(part) for part in found["loc"])
    return Message(code="api-field-invalid", params={"where": where, "detail": found["msg"]})


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    params = {"method": request.method, "path": request.url.path}
    return answer(error.status_code, Message(code="api-no-such-route", params=params))
