"""What is done to a picture before it is served: recognised, made small, freed of what it tells about people."""
