"""The gateway: answers requests as the ledger says, and logs what it answered."""
