-- MLflow keeps its tables in a database of its own.
CREATE DATABASE mlflow OWNER airflow;
