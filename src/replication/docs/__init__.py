"""The written pages (README.md, findings, documentation): templates, filled from committed records alone."""
