"""What is watched once it is released: drift of the inputs, in batches and live."""
