"""The script that makes what is given away, and what it knows of the practice."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pypdf import PdfReader

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_magnets", ROOT / "magnets" / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def facts(make: ModuleType) -> Mapping[str, Any]:
    found: Mapping[str, Any] = make.facts(ROOT / "newsletter.yml")
    return found


@pytest.fixture(scope="session")
def elements() -> Callable[[PdfReader], Iterator[Any]]:
    """The structure elements of a PDF in reading order."""

    def under(node: Any) -> Iterator[Any]:
        node = node.get_object()
        if not hasattr(node, "get"):
            return
        if "/S" in node:
            yield node
        kids = node.get("/K", [])
        for kid in kids if isinstance(kids, list) else [kids]:
            if not isinstance(kid, int):
                yield from under(kid)

    return lambda pdf: under(pdf.root_object["/StructTreeRoot"])
