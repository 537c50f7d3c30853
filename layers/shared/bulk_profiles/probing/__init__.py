"""Probes: experiments on an account that answer what Target's documentation leaves open."""
