"""Black box, dense and sparse networks, and the plain baseline."""
