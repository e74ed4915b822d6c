"""The values of the Helm chart: their schema and their table, from the settings classes."""
