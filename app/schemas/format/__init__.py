"""How JSON is written, whatever it is about: strict bodies, forms, ids, times, money, pages, faults."""
