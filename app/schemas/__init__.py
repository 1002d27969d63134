"""JSON: the bodies of requests and responses. One file per noun; `format/` has what all of them share."""
