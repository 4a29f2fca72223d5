"""What a model comes to on real documents, by the measures of its task, alone or beside another."""
