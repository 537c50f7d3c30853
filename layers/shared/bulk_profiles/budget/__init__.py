"""What a client code may still ask of Target, and when."""
