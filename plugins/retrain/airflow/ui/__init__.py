"""What this package shows in Airflow's UI."""
