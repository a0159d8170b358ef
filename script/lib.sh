# shellcheck shell=bash
# What the scripts share: where the checkout is, how a step is shown, how two runs at once stay apart.
# Sourced, never run. A step prints one line; its details go to a log file, whose tail is shown when it fails.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034 # the scripts that source this file use it
venv=$root/.venv
log=$root/var/log/$(basename "$0").log

case "${LC_ALL:-${LC_CTYPE:-${LANG:-}}}" in
  *[Uu][Tt][Ff]*) mark_ok='✓' mark_bad='✗' mark_skip='–' mark_now='…' ;;
  *) mark_ok='ok' mark_bad='FAILED' mark_skip='skipped' mark_now='..' ;;
esac
colour_ok='' colour_bad='' colour_dim='' colour_off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  colour_ok=$'\e[32m' colour_bad=$'\e[31m' colour_dim=$'\e[2m' colour_off=$'\e[0m'
fi

title() { printf '%sMoonMind · %s%s\n' "$colour_dim" "$1" "$colour_off"; }
done_line() { printf '  %s%s%s %s\n' "$colour_ok" "$mark_ok" "$colour_off" "$1"; }
bad_line() { printf '  %s%s%s %s\n' "$colour_bad" "$mark_bad" "$colour_off" "$1"; }
skip_line() { printf '  %s%s %s%s\n' "$colour_dim" "$mark_skip" "$1" "$colour_off"; }

start_log() {
  mkdir -p "$(dirname "$log")"
  printf '%s %s\n' "$(date -u +%FT%TZ)" "$0 $*" >"$log"
}

# attempt COMMAND...: run it with its output in the log and leave its exit status in `status`.
# Not to be called in a condition: there, bash ignores `set -e` inside functions.
# A server started here must not keep the lock (9) or the caller's pipe (3).
attempt() {
  printf '\n$ %s\n' "$*" >>"$log"
  set +e
  (set -e; "$@") >>"$log" 2>&1 </dev/null 3>&- 9>&-
  status=$?
  set -e
}

# show LABEL COMMAND...: one step as one line; leaves the exit status in `status`.
show() {
  local label=$1 began=$SECONDS
  shift
  if [ -t 1 ]; then printf '  %s %s' "$mark_now" "$label"; fi
  attempt "$@"
  if [ -t 1 ]; then printf '\r\e[K'; fi
  local took=$((SECONDS - began))
  if [ "$took" -gt 2 ]; then label="$label ${colour_dim}(${took} s)${colour_off}"; fi
  if [ "$status" -eq 0 ]; then done_line "$label"; else bad_line "$label"; fi
}

# step LABEL COMMAND...: a step that everything after it needs; its failure ends the script.
step() {
  show "$@"
  if [ "$status" -ne 0 ]; then
    printf '\nThe last lines of %s:\n' "$log"
    tail -n 20 "$log" | sed 's/^/    /'
    exit 1
  fi
}

# ask_for WHAT COMMAND: say the one command that a person has to run, and end with 3.
ask_for() {
  bad_line "$1"
  printf '\nRun this once, then try again:\n\n    %s\n\n' "$2"
  exit 3
}

# find_python: print the first Python that is new enough. A name alone proves nothing: version managers leave shims.
find_python() {
  local name
  for name in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3.14 python3 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11, 2))' >/dev/null 2>&1; then
      "$name" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}

# lock NAME PYTHON: wait until no other run holds the lock; it opens when this script ends.
lock() {
  mkdir -p "$root/var/lock"
  exec 9>"$root/var/lock/$1"
  # flock(1) is not everywhere; the lock belongs to the open file, which this shell keeps.
  "$2" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null && return
  skip_line "waiting for another run to finish"
  "$2" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

is_root() { [ "$(id -u)" -eq 0 ]; }
has() { command -v "$1" >/dev/null 2>&1; }
can_install() { is_root && has apt-get; }

# Installing ca-certificates writes this file again. What the machine trusted before (a company's own authority, put there
# by hand) must still be trusted afterwards, or nothing can be downloaded any more.
trusted=/etc/ssl/certs/ca-certificates.crt

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  local wait_for_lock=(-o DPkg::Lock::Timeout=120) before
  before=$(mktemp)
  if [ -s "$trusted" ]; then cat "$trusted" >"$before"; fi
  apt-get "${wait_for_lock[@]}" update
  apt-get "${wait_for_lock[@]}" install -y --no-install-recommends "$@"
  if [ -s "$before" ] && grep -qvxFf "$trusted" "$before"; then
    echo "Putting back what $trusted held before."
    cat "$before" >>"$trusted"
  fi
  rm -f "$before"
}
