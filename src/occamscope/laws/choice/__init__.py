"""Which law to take of those found, and what the others say."""
