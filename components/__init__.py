"""The Pulumi side: resources, their providers, and how they are put together. Nothing else imports pulumi."""
