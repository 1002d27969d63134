"""What is sold, paid for, changed and given on."""
