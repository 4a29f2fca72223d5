"""How fast models are beside each other, each in a process of its own."""
