"""A web app that answers questions over documents, with citations, through a served model."""
