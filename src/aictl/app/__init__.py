"""Applications rendered from templates, and the working copies that people edit."""
