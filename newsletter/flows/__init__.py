"""The verbs. A flow owns its transactions, speaks to ports, and takes everything it touches as values."""
