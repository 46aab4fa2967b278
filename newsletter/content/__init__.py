"""From an issue file to an email: reading, checking, rendering. Touches files, never the store."""
