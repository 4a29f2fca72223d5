"""``hw plan``: what training, fine-tuning or serving a model needs, worked out before anything is rented."""
