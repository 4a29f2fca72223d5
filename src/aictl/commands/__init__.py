"""The commands: one file each, mirroring the command tree; thin wrappers without logic."""
