"""From microscopy fields to prepared nucleus crops."""
