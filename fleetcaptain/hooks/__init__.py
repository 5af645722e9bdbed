"""Deploy hooks: programs of the app's folder that run before and after a deployment, on the operator's computer."""
