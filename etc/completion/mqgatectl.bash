# shellcheck shell=bash
# bash completion for mqgatectl(1). Names of listeners, backends and servers are asked of the running mqgate; when it does
# not answer there are none.

# What mqgate understands, one command a line. Words in capitals stand for names; a|b is one of them.
_mqgatectl_commands='
clear counters all
clear table FRONTEND
disable frontend FRONTEND
disable health SERVER
disable server SERVER
drain
echo
enable frontend FRONTEND
enable health SERVER
enable server SERVER
get weight SERVER
help
operator
prompt
quit
reload tls
set maxconn frontend FRONTEND
set maxconn global
set maxconn server SERVER
set rate-limit connections|sessions|ssl-sessions global
set server SERVER addr
set server SERVER health up|stopping|down
set server SERVER state ready|drain|maint
set server SERVER weight
set severity-output none|number|string
set timeout cli
set weight SERVER
shed
shed server SERVER
show activity
show backend
show cli level|sockets
show drain
show env
show errors
show events
show fd
show info typed|json|desc
show mqtt PROXY
show pools
show resolvers
show schema json
show servers conn|state BACKEND
show sess all|older
show sess backend BACKEND
show sess frontend FRONTEND
show sess server SERVER
show stat PROXY
show stat typed|json|up|no-maint
show table FRONTEND
show tls
show upgrade
show version libraries
shutdown frontend FRONTEND
shutdown session
shutdown sessions server SERVER
undrain
upgrade
user
wait
'

# _mqgatectl_names KIND MQGATECTL [-s SOCKET]: the names of that kind, one a line.
_mqgatectl_names() {
    local kind=$1
    shift
    timeout 2 "$@" show stat 2>/dev/null </dev/null | awk -F, -v kind="$kind" '
        NR == 1 {
            sub(/^# /, "")
            for (i = 1; i <= NF; i++)
                at[$i] = i
            next
        }
        { proxy = $at["pxname"]; name = $at["svname"]; type = $at["type"] }
        kind == "SERVER" && type == 2 { print proxy "/" name }
        kind == "FRONTEND" && type == 0 || kind == "BACKEND" && type == 1 { print proxy }
        kind == "PROXY" && type < 2 && !seen[proxy]++ { print proxy }'
}

# _mqgatectl_next WORD...: what may follow these words of a command; capitals are kinds of names.
_mqgatectl_next() {
    local pattern word tokens i
    while IFS= read -r pattern; do
        read -r -a tokens <<<"$pattern"
        [ "${#tokens[@]}" -gt $# ] || continue
        i=0
        for word in "$@"; do
            [[ ${tokens[i]} == [A-Z]* || "|${tokens[i]}|" == *"|$word|"* ]] || continue 2
            i=$((i + 1))
        done
        printf '%s\n' "${tokens[i]//|/$'\n'}"
    done <<<"$_mqgatectl_commands"
}

_mqgatectl() {
    local mqgatectl=("$1") current=${COMP_WORDS[COMP_CWORD]} words=() candidates=() candidate i=1
    COMPREPLY=()
    while [ "$i" -lt "$COMP_CWORD" ]; do
        case ${COMP_WORDS[i]} in
        -s | --socket)
            i=$((i + 1))
            if [ "$i" -ge "$COMP_CWORD" ]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                compopt -o filenames 2>/dev/null # fails where a test calls this function
                return
            fi
            mqgatectl+=(-s "${COMP_WORDS[i]}")
            ;;
        -* | '') ;;
        *)
            words=("${COMP_WORDS[@]:i:COMP_CWORD-i}")
            break
            ;;
        esac
        i=$((i + 1))
    done
    case ${words[*]} in
    '') candidates=(check-health import info stat top -s --help --version) ;;
    stat) candidates=(PROXY) ;;
    top) candidates=(-d) ;;
    esac
    mapfile -t -O "${#candidates[@]}" candidates < <(_mqgatectl_next "${words[@]}")
    mapfile -t candidates < <(for candidate in "${candidates[@]}"; do
        case $candidate in
        [A-Z]*) _mqgatectl_names "$candidate" "${mqgatectl[@]}" ;;
        *) printf '%s\n' "$candidate" ;;
        esac
    done | sort -u)
    # compgen expands what it is given: nothing that the shell would act on may be in it.
    mapfile -t COMPREPLY < <(compgen -W "${candidates[*]//[^A-Za-z0-9_.:\/ -]/}" -- "$current")
}
complete -F _mqgatectl mqgatectl
