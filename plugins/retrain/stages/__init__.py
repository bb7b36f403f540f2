"""The stages of a retraining, one file each: plain functions from artifacts to an artifact, without Airflow."""
