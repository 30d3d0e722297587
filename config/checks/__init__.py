"""What can be seen of a plant only by holding its items against each other. Pure: a plant in, findings out."""
