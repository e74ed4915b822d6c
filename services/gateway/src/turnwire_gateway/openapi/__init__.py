"""The API described: routes as they are declared, and the document FastAPI makes of them."""
