"""The routes below `/v1/admin/`: what admins do in their tenant, and operators in all."""
