"""A newsletter you own: issue files become mail, every reader exactly once, without trackers."""

__version__ = "0.1.0"
