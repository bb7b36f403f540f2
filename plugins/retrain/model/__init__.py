"""The model as it travels: its format, its packaging, its place in the store."""
