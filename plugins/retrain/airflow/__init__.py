"""Everything that Airflow sees: Dags, operators, triggers, pages. Only this package imports Airflow."""
