"""What training and evaluation are made of: design matrix, search, metrics, baselines, slices, packaging."""
