"""The interface to Pulumi's engine: the base of the dynamic resources, diagnostics, and the end of the program."""
