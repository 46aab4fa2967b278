"""Traces of requests for OpenTelemetry, for those who collect them: `pip install newsletter[otel]`.

On when `OTEL_EXPORTER_OTLP_ENDPOINT` is set, else nothing of it is even loaded. A span holds the method, the route's
pattern and the status: never a path, a query, a header or an address, as paths hold people's links.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.errors import ConfigurationError
from newsletter.web.guard import route

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_BROKEN = 500


def tracer(environ: Mapping[str, str]) -> Tracer | None:
    """Who makes spans, as the environment says; None when nobody collects them.

    Raises: ConfigurationError when somebody does and the extra is not installed.
    """
    if not environ.get(ENDPOINT):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"{ENDPOINT} is set, and OpenTelemetry is not installed.", "Install newsletter[otel], or unset it."
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "newsletter"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("newsletter")


class Traced:
    """The application, with a span around each request."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _BROKEN

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span("request", record_exception=False) as span:
            try:
                await self._app(scope, receive, watched)
            finally:
                where = route(scope)
                span.update_name(f"{scope['method']} {where}")
                span.set_attribute("http.request.method", scope["method"])
                span.set_attribute("http.route", where)
                span.set_attribute("http.response.status_code", status)
