# Starts Ansible in a container: `sh start COMMAND…`.
#
# First of all it says which process this is: only that one is heard later. Prints go where the host reads them, and the
# callback is found before all others that the user's own configuration names.
echo $$ >/playwarden/begun
exec >>/playwarden/stdout 2>>/playwarden/stderr
# What is typed is not shown twice.
[ -t 0 ] && stty -echo 2>/dev/null

unset PLAYWARDEN_FD PLAYWARDEN_INHERITED PLAYWARDEN_HAD_PLUGINS PLAYWARDEN_HAD_LOAD
export PLAYWARDEN_SOCKET=/playwarden/events PLAYWARDEN_INTERRUPT=/playwarden/interrupts PLAYWARDEN_SPILL=/playwarden/spill
# What a play starts, perhaps another Ansible, gets these back.
[ -n "${ANSIBLE_CALLBACK_PLUGINS+set}" ] && export PLAYWARDEN_HAD_PLUGINS="$ANSIBLE_CALLBACK_PLUGINS"
[ -n "${ANSIBLE_LOAD_CALLBACK_PLUGINS+set}" ] && export PLAYWARDEN_HAD_LOAD="$ANSIBLE_LOAD_CALLBACK_PLUGINS"

# What counts without a configuration; nothing but ansible-config knows it better, and that is as slow as Ansible itself.
path=${ANSIBLE_CALLBACK_PLUGINS-$HOME/.ansible/plugins/callback:/usr/share/ansible/plugins/callback}
if [ -z "${ANSIBLE_CALLBACK_PLUGINS+set}" ]; then
    asked=$ANSIBLE_CONFIG
    for file in ansible.cfg "$HOME/.ansible.cfg" /etc/ansible/ansible.cfg; do
        case $(cat "$file" 2>/dev/null) in *callback_plugins*) asked=yes ;; esac
    done
    if [ -n "$asked" ]; then
        found=$(ansible-config dump --only-changed 2>/dev/null |
            sed -n "s/^DEFAULT_CALLBACK_PLUGIN_PATH([^=]*) = \[['\"]\(.*\)['\"]\]\$/\1/p" | sed "s/['\"], ['\"]/:/g")
        path=${found:-$path}
    fi
fi
export ANSIBLE_LOAD_CALLBACK_PLUGINS=1 ANSIBLE_CALLBACK_PLUGINS="/playwarden/callback:$path"
exec "$@"
