"""Fine-tuning: teaching a pretrained checkpoint from conversations."""
