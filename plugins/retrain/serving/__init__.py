"""Answering requests: the model, its place in the store, and what is built around them."""
