# What slurm.sh and gridengine.sh share: they define `start`, `stop`, `ready` and LOGS, source this file and call `main`.

script=$(basename "$0")

fail() {
    echo "$script: $1" >&2
    exit 1
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails if it does not within that time.
wait_for() {
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 1
    done
}

# need COMMAND PACKAGE...: install these packages unless there is such a command.
need() {
    ! command -v "$1" >/dev/null || return 0
    command -v apt-get >/dev/null || fail "there is neither $1 nor apt-get to install it with: this script is for Debian"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -qq --no-install-recommends "${@:2}" >/dev/null; }; then
        fail "apt-get could not install ${*:2}"
    fi
}

# running NAME PIDFILE: whether this daemon runs, and not another process that has got its number since.
running() {
    [ -s "$2" ] && [ "$(cat "/proc/$(cat "$2")/comm" 2>/dev/null)" = "$1" ]
}

# launch NAME PIDFILE COMMAND...: start this daemon unless it runs.
launch() {
    running "$1" "$2" || "${@:3}" || fail "$1 did not start; look into $LOGS"
}

ended() {
    ! running "$@"
}

# end NAME PIDFILE: end this daemon if it runs, and wait until it has.
end() {
    ended "$@" && return
    kill "$(cat "$2")"
    wait_for 60 ended "$@" || fail "$1 does not end: process $(cat "$2")"
}

# main start|stop|status
main() {
    case "${1:-}" in
        start | stop) [ "$(id -u)" = 0 ] || fail "only root can $1 it" ;;
        status) ;;
        *) fail "use: $script start|stop|status" ;;
    esac
    case "$1" in
        start)
            start
            wait_for 60 ready || fail "it did not come up; look into $LOGS"
            ;;
        stop)
            stop
            return
            ;;
        status) ready || fail "no job can be submitted; start it, or look into $LOGS" ;;
    esac
    echo "$script: jobs can be submitted"
}
