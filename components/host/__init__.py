"""The provider process: serves the dynamic resources of this program to Pulumi's engine."""
