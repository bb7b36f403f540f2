"""What a model is judged by: one registry."""
