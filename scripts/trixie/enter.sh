#!/bin/sh
# enter.sh DEBIAN NEW REPOSITORY NODE COMMAND…: runs COMMAND inside the folder DEBIAN, with this machine's network, processes, /tmp,
# /dev and REPOSITORY, and with NODE as /opt/node/bin/node. NEW is an empty folder to mount on. Run this script with
# `unshare --mount`: its mounts then disappear when COMMAND exits.
set -eu
debian=$1 new=$2 repository=$3 node=$4
shift 4

# Make mount points inside folders that will be read-only.
for path in "$repository" "$HOME"; do
  case $path in
    /boot/* | /etc/* | /lib* | /usr/* | /var/*) mkdir -p "$debian$path" ;;
  esac
done

mount -t tmpfs -o mode=755 tmpfs "$new"
for path in "$debian"/*; do
  name=${path##*/}
  if [ -L "$path" ]; then
    cp -P "$path" "$new/$name"
    continue
  fi
  mkdir "$new/$name"
  case $name in
    dev | proc | sys | tmp)
      mount --rbind "/$name" "$new/$name"
      ;;
    boot | etc | lib* | usr | var)
      mount --bind "$path" "$new/$name"
      mount -o remount,bind,ro "$new/$name"
      ;;
  esac
done
mkdir -p "$new$HOME" "$new/opt/node/bin" "$new/old"
case $HOME in
  / | /tmp | /tmp/*) ;;
  *) mount -t tmpfs -o mode=755 tmpfs "$new$HOME" ;;
esac
mkdir -p "$new$repository"
mount --rbind "$repository" "$new$repository"
touch "$new/opt/node/bin/node"
mount --bind "$node" "$new/opt/node/bin/node"

# Use pivot_root, not chroot: a test needs a user namespace, and the kernel does not create one inside a chroot.
pivot_root "$new" "$new/old"
cd "$repository"
umount --lazy /old
rmdir /old
if [ -n "${SUDO_UID:-}" ]; then
  chown "$SUDO_UID:$SUDO_GID" "$HOME"
  exec setpriv --reuid="$SUDO_UID" --regid="$SUDO_GID" --clear-groups -- "$@"
fi
exec "$@"
