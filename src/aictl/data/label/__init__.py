"""Labels for documents: functions that vote, a model of how far each can be believed, people who review."""
