"""What etcd knows of an app: the registrations of its instances, its releases, and which release is the current one."""
