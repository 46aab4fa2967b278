"""The rules an issue is checked by, one file for each family.

A rule takes a `Case` and yields problems. `check.py` knows them all; nothing here reaches for the network,
the clock or the database.
"""
