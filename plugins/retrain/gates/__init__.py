"""The blessing gates, one file each: ``gate(scorecard, candidate, bless) -> GateResult``, pure.

A gate compares confidence bounds, not points. It fails where harm is shown, passes where harm is excluded, and is
undecided in between. What it needs and cannot find is a failure, never a pass.
"""
