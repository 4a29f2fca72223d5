"""Fine-tuning: teaching a pretrained checkpoint from conversations, documents, pairs and preferences."""

import logging

# peft imports bitsandbytes where it is installed, which then warns of kernels that it could not fetch.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
