#!/bin/sh
# The password is in a file that only the container has: every user of the machine can read arguments.
set -eu
umask 077
cat > /dev/shm/redis.conf <<END
bind 0.0.0.0
dir /data
appendonly yes
appendfsync always
requirepass $DB_PASSWORD
END
exec redis-server /dev/shm/redis.conf
