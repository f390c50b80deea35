"""Text -> nouns, pure: what a bounce, a log, a configuration or a record says. No file here looks anything up."""
