"""What callers and gateway say to each other: one protocol a file."""
