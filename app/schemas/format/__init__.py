"""How JSON is written here, whatever it is about: strict bodies, ids, times, money, pages, faults."""
