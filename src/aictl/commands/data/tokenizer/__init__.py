"""Learn tokenizers from datasets."""
