# Makes an image with an Ansible of this machine, for an engine that has no other: `sh image.sh ENGINE VENV IMAGE`.
# It holds a shell, the tools that modules use, the virtual environment at its own place, and its Python.
set -eu
engine=$1 venv=$2 image=$3
python=$("$venv/bin/python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
base=$("$venv/bin/python" -c 'import sys; print(sys.base_prefix)')
set --
for tool in sh cat chmod cp env false grep head id ls mkdir mv rm sed sleep ssh ssh-add stat touch true uname whoami; do
    set -- "$@" "$(command -v "$tool")"
done
# A Python of the system is not alone in its prefix.
if [ "$base" = /usr ]; then
    library=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    set -- "$@" "$library"
else
    set -- "$@" "$base"
fi
[ -d /usr/lib/locale/C.utf8 ] && set -- "$@" /usr/lib/locale/C.utf8
libraries=$(
    find "$@" "$venv" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} + 2>/dev/null |
        grep -o '/[^ :]*' | sort -u | grep -v '^/proc'
)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# Links become what they lead to, in folders that are no links.
cp --parents --recursive --dereference --no-clobber "$@" $libraries "$venv" "$python" "$root" 2>/dev/null || true
find "$root" -depth -name __pycache__ -exec rm -rf {} +
rm -rf "$root$base"/lib/python3*/test "$root$base"/lib/*.a
mkdir -p "$root/tmp" "$root/root" "$root/etc"
[ -e "$root/bin/sh" ] || { mkdir -p "$root/bin" && cp "$root/usr/bin/sh" "$root/bin/sh"; }
[ -e "$root/usr/bin/env" ] || { mkdir -p "$root/usr/bin" && cp "$root/bin/env" "$root/usr/bin/env"; }
chmod 1777 "$root/tmp"
printf 'root:x:0:0:root:/root:/bin/sh\nrunner:x:1000:0:runner:/home/runner:/bin/sh\n' >"$root/etc/passwd"
tar --create --directory="$root" . |
    "$engine" import --change "ENV PATH=$venv/bin:/usr/local/bin:/usr/bin:/bin" --change "ENV HOME=/root" --change "ENV LANG=C.UTF-8" - "$image" >/dev/null
