"""Builds the application: routes, failures, and what the routes need of the house."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, FastAPI

from fabd import __version__
from fabd.api import jobs, machines, members, problems, prompts, system, uploads, usage
from fabd.queue.house import House
from fabd.views import HealthView, Problem


def build(
    house: House, *, reload: Callable[[], Awaitable[None]], health: Callable[[], Awaitable[HealthView]]
) -> FastAPI:
    """The application for `house`; serve it with `fabd.api.server.serving`.

    `reload` takes a new configuration or raises `ConfigError` and keeps the old one; `health` looks at all rooms.
    """
    uploads.sweep(house.store.path)
    app = _routes()
    app.state.house = house
    app.state.reload = reload
    app.state.health = health
    app.state.closing = asyncio.Event()
    return app


def describe() -> dict[str, Any]:
    """The interface as OpenAPI, without a house."""
    return _routes().openapi()


def _routes() -> FastAPI:
    failures: dict[int | str, dict[str, Any]] = {
        "4XX": {"model": Problem, "description": "Refused; nothing was changed."},
        "5XX": {"model": Problem, "description": "Failed; the log says more."},
    }
    app = FastAPI(
        title="fabd",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=failures,
    )
    problems.handle(app)
    v1 = APIRouter(prefix="/v1")
    for resource in (jobs, machines, prompts, members, usage, system):
        v1.include_router(resource.router)
    app.include_router(v1)
    return app
