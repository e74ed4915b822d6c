"""The API as a document: `/openapi.json`, its page at `/docs`, and the list of what is covered."""
