# Starts Ansible in a container: `sh start COMMAND…`. Prints go where the host reads them, and the callback is found before
# all others that the user's own configuration names.
exec >>/playwarden/stdout 2>>/playwarden/stderr

# What counts without a configuration; nothing but ansible-config knows it better, and that is as slow as Ansible itself.
path=${ANSIBLE_CALLBACK_PLUGINS-$HOME/.ansible/plugins/callback:/usr/share/ansible/plugins/callback}
if [ -z "${ANSIBLE_CALLBACK_PLUGINS+set}" ]; then
    for file in "${ANSIBLE_CONFIG:-ansible.cfg}" "$HOME/.ansible.cfg" /etc/ansible/ansible.cfg; do
        case $(cat "$file" 2>/dev/null) in
        *callback_plugins*)
            found=$(ansible-config dump --only-changed 2>/dev/null |
                sed -n "s/^DEFAULT_CALLBACK_PLUGIN_PATH([^=]*) = \[u\{0,1\}'\(.*\)'\]\$/\1/p" | sed "s/', u\{0,1\}'/:/g")
            path=${found:-$path}
            ;;
        esac
        # Only the first one that is there counts.
        [ -e "$file" ] && break
    done
fi
export ANSIBLE_CALLBACK_PLUGINS="/playwarden/callback:$path"
exec "$@"
