"""Files as they lie on the disk: listed, hashed, and what was found out about them remembered."""
