"""aictl: from raw data to a running AI application, one artifact at a time."""

__version__ = "0.1.0"
