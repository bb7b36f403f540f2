"""The commands of ``retrain``, one file a command, found by its name.

A command is the function of the same name as its file; ``PANEL`` says under which heading ``retrain --help`` shows it.
Files whose name begins with ``_`` hold what commands share. Nothing heavy is imported before a command needs it.
"""
