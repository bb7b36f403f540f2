"""The blessing gates, one file each: settings, and a method that judges by them.

A gate compares confidence bounds, not points. It fails where harm is shown, passes where harm is excluded, and is
undecided in between. What it needs and cannot find is a failure, never a pass.
"""
