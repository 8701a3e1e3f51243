# shellcheck shell=bash
# What the scripts of this folder share: arguments, checked, and one place that runs the AWS CLI. To be sourced.

# fail PROBLEM [REMEDY]
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
  exit 2
}

# Prints the comment at the head of the script that was called.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# take NAME VALUE PATTERN EXAMPLE: sets the variable NAME to an option's value, if that matches. Values then need no quoting in JSON.
take() {
  [[ "$2" =~ ^($3)$ ]] || fail "--${1//_/-} is '$2'" "it must look like $4"
  printf -v "$1" '%s' "$2"
}

# need NAME...: options that must have been given.
need() {
  local name
  for name in "$@"; do
    [ -n "${!name-}" ] || fail "--${name//_/-} is missing" "see $0 --help"
  done
}

# shellcheck disable=SC2034
{
  s3_file='s3a?://[a-z0-9][a-z0-9.-]+/[A-Za-z0-9._/=-]+'
  s3_folder='s3://[a-z0-9][a-z0-9.-]+/([A-Za-z0-9._/=-]*/)?'
  label='[A-Za-z0-9][A-Za-z0-9._-]{0,62}'
  number='[1-9][0-9]{0,3}'
  role='arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+'
  setting='[a-z0-9][a-z0-9.-]*=[A-Za-z0-9._:/=,@-]*'
}

# options WORD...: handles the options that all scripts have, and calls the script's own "set_option NAME VALUE" for others, whose status is 1 if
# there is no such option. Leaves the words after the options in the array "words".
options() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --dry-run) dry_run=yes; shift; continue ;;
      --help | -h) usage; exit 0 ;;
      --*) [ $# -ge 2 ] || fail "$1 needs a value" ;;
      *) break ;;
    esac
    set_option "$1" "$2" || fail "there is no option $1" "see $0 --help"
    shift 2
  done
  # shellcheck disable=SC2034
  words=("$@")
}

# command_words CONF WORD...: Potstill's commands, and the settings that follow them, as arrays "commands" and "settings".
command_words() {
  commands=() settings=(--conf "$1")
  shift
  local word
  for word in "$@"; do
    case "$word" in
      prune | write | label | train | evaluate | export | distil)
        [ "${#settings[@]}" -eq 2 ] || fail "the command $word comes after a setting" "write settings last"
        commands+=("$word")
        ;;
      *=*)
        [[ "$word" =~ ^($setting)$ ]] || fail "'$word' is not a setting" "write KEY=VALUE without blanks or quotes; put others into the file of --conf"
        settings+=(--set "$word")
        ;;
      *) fail "'$word' is not a command for a cluster" "one of prune, write, label, train, evaluate, export, distil" ;;
    esac
  done
  [ "${#commands[@]}" -gt 0 ] || fail "the command is missing" "one of prune, write, label, train, evaluate, export, distil, after the options"
}

# one_command: for requests that run a single command.
one_command() {
  [ "${#commands[@]}" -eq 1 ] || fail "one request runs one command" "call the script once for each of ${commands[*]}"
}

# json WORD...: a JSON array of strings, which contain no quotes.
json() {
  local text
  printf -v text '"%s",' "$@"
  printf '[%s]' "${text%,}"
}

# run WORD...: runs the AWS CLI, or prints the command and the files that it names.
run() {
  if [ "${dry_run:-no}" = yes ]; then
    printf '%q ' "$@"
    printf '\n'
    local word
    for word in "$@"; do
      case "$word" in
        file://*) printf '# %s\n' "$word"; cat "${word#file://}" ;;
      esac
    done
  else
    command -v aws > /dev/null || fail "there is no aws on the PATH" "install the AWS CLI, or use --dry-run"
    "$@"
  fi
}

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
