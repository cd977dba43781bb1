# An engine for tests, called as `podman` or `docker`: it takes the words that Playwarden says to those, and makes of a
# container what the kernel has for it: namespaces for users, mounts and processes, around this machine's own files.
# `ENGINE daemon` runs what clients want, so that a container is nobody's descendant, as with docker.
set -eu
state=$(dirname "$0")/state
mkdir -p "$state"
verb=$1
while [ "${verb#--}" != "$verb" ]; do shift; verb=$1; done
shift

# A container is asked for by its id, or by its name.
id_of() { if [ -d "$state/$1" ]; then echo "$1"; else cat "$state/name.$1"; fi; }
pid_of() { cat "$state/$1/pid" 2>/dev/null; }

case $verb in
daemon)
    [ -p "$state/requests" ] || mkfifo "$state/requests"
    echo ready
    # Open for writing as well, so that it never ends.
    while read -r id; do
        (
            setsid sh "$state/$id/make" >"$state/$id/said" 2>&1 &
            # Removed already, when its number finds no place.
            echo $! >"$state/$id/pid" || kill -KILL $!
            code=0
            wait $! || code=$?
            echo "$code" >"$state/$id/code"
            echo over >"$state/$id/over"
        ) &
    done <>"$state/requests"
    ;;
run)
    id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    folder=$state/$id
    mounts='' workdir=/ cidfile='' name=
    while [ $# -gt 0 ]; do
        case $1 in
        -v) shift; mounts="$mounts $1" ;;
        --workdir) shift; workdir=$1 ;;
        --env-file) shift; env_file=$1 ;;
        --cidfile) shift; cidfile=$1 ;;
        --name) shift; name=$1 ;;
        --rm | --interactive | --tty | --quiet | --*=*) ;;
        *) break ;;
        esac
        shift
    done
    image=$1
    shift
    if [ "$image" = missing ]; then
        echo "Error: no such image: $image" >&2
        exit 125
    fi
    if [ -n "$name" ]; then echo "$id" >"$state/name.$name"; fi
    mkdir "$folder" "$folder/root"
    mkfifo "$folder/over"
    # The file is not quoted, each line is a variable.
    while read -r line; do printf '%s\0' "$line"; done <"$env_file" >"$folder/all"
    printf '%s\0' "$@" >>"$folder/all"
    cat >"$folder/make" <<MAKE
exec unshare --user --map-root-user --mount --pid --fork --kill-child sh -eu -c '
root=$folder/root
mount -t tmpfs none \$root
for entry in /*; do
    case \$entry in
    /proc | /runner | /playwarden*) ;;
    *) if [ -L \$entry ]; then cp -P \$entry \$root/; elif [ -d \$entry ]; then mkdir \$root\$entry; mount --rbind \$entry \$root\$entry; fi ;;
    esac
done
mkdir \$root/proc
mount -t proc proc \$root/proc
for mount in $mounts; do
    source=\${mount%%:*} rest=\${mount#*:}
    target=\${rest%%:*}
    if [ -d "\$source" ]; then mkdir -p \$root\$target; elif [ ! -e \$root\$target ]; then : >\$root\$target; fi
    mount --bind "\$source" \$root\$target
    case \$rest in *:ro*) mount -o remount,bind,ro \$root\$target ;; esac
done
cd $folder
exec xargs -0 -a all chroot \$root env -i -C $workdir HOME=/root LANG=C.UTF-8 PATH="$PLAYWARDEN_TEST_IMAGE_PATH"
'
MAKE
    if [ -n "$cidfile" ]; then printf %s "$id" >"$cidfile"; fi
    echo "$id" >"$state/requests"
    read -r _ <"$folder/over"
    cat "$folder/said" >&2
    code=$(cat "$folder/code")
    rm -rf "$folder"
    exit "$code"
    ;;
kill)
    signal=KILL
    if [ "$1" = --signal ]; then signal=$2; shift 2; fi
    echo "kill $signal" >>"$state/asked"
    id=$(id_of "$1") || exit 1
    pid=$(pid_of "$id") || exit 1
    # The first process in there is the child of who made it.
    kill -s "$signal" $(cat "/proc/$pid/task/$pid/children")
    ;;
rm)
    shift
    echo rm >>"$state/asked"
    id=$(id_of "$1") || exit 1
    pid=$(pid_of "$id") || pid=
    # What has not begun does not begin any more. In one step: how a container ended may just be written into its folder.
    ! mv "$state/$id" "$state/gone.$id" || rm -rf "$state/gone.$id" || rm -rf "$state/gone.$id"
    [ -z "$pid" ] || kill -KILL "$pid"
    ;;
esac
