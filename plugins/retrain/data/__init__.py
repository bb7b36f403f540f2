"""Rows before they are features: found in files, dated, labelled; and the proof that features are row-wise."""
