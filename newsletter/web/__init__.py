"""The front door for browsers: parse, call one flow, answer with a page."""

from newsletter.web.serve import serve
from newsletter.web.site import site

__all__ = ["serve", "site"]
