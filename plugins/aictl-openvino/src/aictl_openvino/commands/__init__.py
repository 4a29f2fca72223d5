"""The commands of this plugin, as they stand in aictl's command tree."""
