"""The decisions of the box office: a screening's state, a command and the time go in; what changes comes out."""
