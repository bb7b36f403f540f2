"""Where Airflow's tasks find the store, the ledgers and MLflow."""
