"""Who watches a screening: streams and sockets."""
