"""What of OpenAI's API is covered, and how: lists that tests compare with its SDK and the code."""
