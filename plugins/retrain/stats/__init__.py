"""Sequential tests, long-run variances and drift distances: pure numerics, no I/O, no Airflow."""
