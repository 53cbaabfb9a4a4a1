"""Latent codes of nucleus crops: a beta-TCVAE, its training, and what its units mean."""
