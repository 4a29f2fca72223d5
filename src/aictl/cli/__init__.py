"""The command line: the only room that knows Typer and rich, and the only one that prints."""
