"""Human labels: which turns are shown (`sample`), and the local page that shows them (`server`)."""
