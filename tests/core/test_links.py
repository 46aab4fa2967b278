"""Links: what they show of themselves."""

from newsletter.core.links import Links


def test_promise_12_the_keys_are_in_no_representation() -> None:
    assert "a signing key" not in repr(Links("https://x.test", ["a signing key"]))
