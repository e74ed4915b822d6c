"""What is asked of responses beside their turns: lists, prompts, approvals, forks."""
