"""Whether a value that was found below is copied upwards. One rule a file."""
