"""What people are shown: the same figures and words on the page, on the terminal and for machines."""
