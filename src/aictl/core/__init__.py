"""The words every room uses; imports nothing else of aictl, nor any heavy library."""
