"""What models are judged by: one registry of metrics, and what is measured with them."""
