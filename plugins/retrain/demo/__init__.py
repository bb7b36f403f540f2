"""The demo: real flights out of New York, and the faults a retraining meets in practice."""
