"""Libraries that turn texts into ids: the reference, and faster ones that give the same."""
