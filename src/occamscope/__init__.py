"""Occamscope: which law, short enough to read, separates these two kinds of cell?"""

__version__ = "0.1.0"
