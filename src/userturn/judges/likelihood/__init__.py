"""The likelihood judge: rules on the text, then a classifier over the measures."""
