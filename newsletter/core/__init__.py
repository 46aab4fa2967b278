"""Pure values and rules. Time, ids and randomness are arguments; nothing here does I/O."""
