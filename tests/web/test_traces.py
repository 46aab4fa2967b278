"""Traces: a request by its pattern, and nobody in it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import uvicorn
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from newsletter.web.site import site
from newsletter.web.traces import ENDPOINT, Traced, tracer
from tests.web.conftest import House, running


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def test_promise_12_a_span_has_the_pattern_and_never_the_path(house: House, spans: InMemorySpanExporter) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    traced = Traced(site(house.desk, tick_seconds=3600), provider.get_tracer("newsletter"))
    with running(uvicorn.Config(traced, log_config=None, access_log=False)) as url:
        assert requests.get(f"{url}/unsubscribe/somebodys-own-link?why=enough", timeout=10).status_code == 200
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /unsubscribe/{token}"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/unsubscribe/{token}",
        "http.response.status_code": 200,
    }
    assert "somebodys-own-link" not in span.to_json()


def test_it_is_off_until_somebody_collects() -> None:
    assert tracer({}) is None
    made: Any = tracer({ENDPOINT: "http://127.0.0.1:9"})
    assert made is not None
