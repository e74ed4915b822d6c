"""The weights of SmolLM2-135M-Instruct (Q4_1), by Hugging Face, under Apache-2.0; no code."""
