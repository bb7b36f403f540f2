"""Who is told what: typed events, and their senders."""
