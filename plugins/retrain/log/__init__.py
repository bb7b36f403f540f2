"""The prediction log: what was asked and answered, and what turned out. One format for all who write or read it."""
