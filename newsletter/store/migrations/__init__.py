"""The history of the tables, oldest first in `versions/`. Never edit a landed one; add the next."""
