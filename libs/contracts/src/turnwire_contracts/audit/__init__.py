"""The words of the audit log: who did what reaches beyond their own."""
