"""Which machines keep etcd's data: from those that do to those that shall, one at a time and never without a quorum."""
