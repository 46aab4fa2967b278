"""The OpenAPI document is complete and true: tried by Schemathesis, with examples that are the same at each run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.api.conftest import Owner


@pytest.fixture(scope="module")
def document(owner: Owner):
    return owner.house.get("/openapi.json").json()


def test_every_route_of_the_api_says_who_may_ask_and_how_it_refuses(document):
    routes = [(path, way, how) for path, ways in document["paths"].items() for way, how in ways.items()]
    of_api = [(path, way, how) for path, way, how in routes if path.startswith("/api/")]
    assert len(of_api) >= 15
    for path, way, how in of_api:
        assert {"405", "413", "500", "503"} <= set(how["responses"]), path
        for status, answer in how["responses"].items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}, (path, status)
        if path != "/api/subscribe":
            ((scheme, scopes),) = how["security"][0].items()
            assert (scheme, len(scopes)) == ("key", 1)
            assert {"401", "403", "429"} <= set(how["responses"])
            assert scopes[0] in how["description"]
        if way != "get":
            assert {"400", "415", "422"} <= set(how["responses"])


def test_whatever_is_named_is_there(document):
    text = repr(document)
    for name in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert name in document["components"]["schemas"]
    assert "HTTPValidationError" not in text
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    ids = [how["operationId"] for ways in document["paths"].values() for how in ways.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_the_document_is_true(owner: Owner, tmp_path: Path):
    """All its checks but one: that whatever fits the document is taken, as no document says who is known already."""
    owner.reader("somebody@example.org")
    run = [
        Path(sys.executable).with_name("schemathesis"),
        "run", f"{owner.house.url}/openapi.json",
        "--header", f"Authorization: Bearer {owner.key}",
        "--exclude-checks", "positive_data_acceptance",
        "--include-path-regex", "^/api/", "--exclude-path", "/api/plans",
        "--phases", "examples,fuzzing",
        "--max-examples", "1",
        "--seed", "1", "--generation-deterministic",
        "--request-timeout", "30", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
