"""The page at `/docs`: the OpenAPI document as one file of HTML that needs nothing else."""
