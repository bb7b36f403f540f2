"""What Acme brings to its retrainings."""
