"""The intensity scale of stored crops."""

# A crop value of 1.0 (robust maximum of the nucleus) is stored as 196, so that uint8 reaches
# 255 / 196 = 1.3: the brightest chromatin is kept, hot pixels are clipped.
WHITE = 196.0
CROP_SIZE = 64
