"""HTTP served by uvicorn as one task among others: its server, its protocol, its framing."""
