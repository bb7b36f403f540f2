"""``retrain init``: a whole pipeline folder out of one file of data."""
