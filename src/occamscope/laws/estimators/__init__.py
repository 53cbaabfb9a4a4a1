"""scikit-learn's face of the law search."""
