"""What Turnwire costs, beside the same load sent straight to the backend; see README.md."""
