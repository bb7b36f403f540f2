"""MLflow: its runs and its aliases. The ledger decides; MLflow mirrors."""
