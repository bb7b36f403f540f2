"""The Airflow operators, one a stage, each a thin shell around its function in `retrain.stages`."""
