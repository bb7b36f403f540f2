"""Where a release runs: one file a kind of target."""
