"""What the loop can be taught, a room for each task: its batches, what is minimised, and how it is examined.

A task turns a dataset and whatever reads it (a tokenizer, a picture processor) into a
:class:`~aictl.training.tasks.lesson.Lesson`. Where the model comes from, fresh or trained, is the verb's business.
"""
