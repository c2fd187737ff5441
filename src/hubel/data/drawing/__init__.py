"""Pictures drawn to be looked at: boxes, masks, labels, thumbnails, sheets."""
