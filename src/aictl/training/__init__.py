"""The training engine: one loop with its optimiser, precision, data order, history and resuming.

Every verb that trains stands on it: pretraining and fine-tuning differ in their model and their
batches, never in their loop.
"""
