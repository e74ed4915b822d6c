"""What stands between the HTTP server and the routes; pure ASGI."""
