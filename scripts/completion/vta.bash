# Completion of 'vta' for bash: eval "$(vta completion bash)"
# @@banner

# Each prints words to offer; '@files', '@files.vta' and '@folders' stand for what is in the way.
_vta_words() {    # after this command
    case "$1" in
@@words
    esac
}

_vta_value() {    # as the value of this option of a command; fails where it takes none
    case "$1" in
@@values
        *) return 1 ;;
    esac
}

_vta_rest() {     # as an argument of this command
    case "$1" in
@@rests
    esac
}

_vta_offer() {
    local token found=()
    for token in "$@"; do
        case "$token" in
            @nothing) ;;
            @folders)
                compopt -o filenames 2>/dev/null
                mapfile -t found < <(compgen -d -- "$cur") ;;
            @files)
                compopt -o filenames 2>/dev/null
                mapfile -t found < <(compgen -f -- "$cur") ;;
            @files*)
                compopt -o filenames 2>/dev/null
                mapfile -t found < <(
                    compgen -f -X "!*${token#@files}" -- "$cur"
                    compgen -d -- "$cur"
                ) ;;
            *) mapfile -t found < <(compgen -W "$token" -- "$cur") ;;
        esac
        COMPREPLY+=("${found[@]}")
        found=()
    done
}

_vta() {
    local cur="${COMP_WORDS[COMP_CWORD]}" at=$((COMP_CWORD - 1)) command="" word i values
    COMPREPLY=()
    # '=' is a word of its own: '--option=value', and 'name=file' after an option.
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ ${COMP_WORDS[at]} == "=" ]]; then
        at=$((at - 1))
    fi
    if [[ $at -lt $((COMP_CWORD - 1)) || ${COMP_WORDS[COMP_CWORD]} == "=" ]]; then
        [[ ${COMP_WORDS[at]} == -* ]] || at=$((at - 1))
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        [[ $word == -* ]] && continue
        case "$command" in
            "") command="$word" ;;
            @@parents) command="$command $word"; break ;;
            *) break ;;
        esac
    done
    local IFS=$' \t\n'
    if [[ $cur != -* && -n $command ]] && values=$(_vta_value "$command ${COMP_WORDS[at]}"); then
        _vta_offer $values
    elif [[ $cur == -* || -z $command ]]; then
        _vta_offer $(_vta_words "$command")
    else
        case "$command" in
            @@parents) _vta_offer $(_vta_words "$command") ;;
            *) _vta_offer $(_vta_rest "$command") ;;
        esac
    fi
}

complete -F _vta vta
