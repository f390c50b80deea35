"""The console: the same jobs and shapes as the command line, as pages that stay open."""
