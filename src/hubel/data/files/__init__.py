"""Files as they lie on the disk: listed, hashed, what was found out about them remembered; and those of the cache."""
