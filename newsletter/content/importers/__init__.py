"""Text from elsewhere made into issues: every format becomes one stream of pieces, judged by one set of rules."""
