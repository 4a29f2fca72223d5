"""aictl-tensorflow: one command, ``aictl model tensorflow``, by which TensorFlow's models come in."""

__version__ = "0.1.0"
