"""Sequential tests, bootstrap intervals and drift distances: pure numerics, no I/O, no Airflow."""
