"""A challenger on trial: what the ledger says of its release, what the prediction log shows, and how far it came."""
