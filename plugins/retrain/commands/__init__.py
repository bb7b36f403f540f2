"""The commands of ``retrain``, one file a command. Nothing heavy is imported before a command needs it."""
