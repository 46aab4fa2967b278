"""The command line: parse, call one flow, answer. Heavy imports stand where they are used: help stays fast."""

from newsletter.cli.program import main

__all__ = ["main"]
