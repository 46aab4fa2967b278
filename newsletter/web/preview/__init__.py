"""The preview: an editor's own window on an issue, on this machine only.

room      issues as they stand on disk, rendered and remembered
readers   the people a letter is tried on, and the lines an inbox shows
system    every mail and page of the program in every state
watch     tells the browser within a moment that a file was saved
site      the pages
serve     runs them at 127.0.0.1
"""

from newsletter.web.preview.serve import serve

__all__ = ["serve"]
