#compdef vta
# Completion of 'vta' for zsh: a file _vta in a folder of $fpath, or eval "$(vta completion zsh)"
# @@banner

_vta_offer() {
    local token
    local -a found
    for token in "$@"; do
        case $token in
            @folders) _files -/ ;;
            @files) _files ;;
            @files*) _files -g "*${token#@files}(-.)" ;;
            *) found+=("$token") ;;
        esac
    done
    (( $#found )) && compadd -a found
}

_vta_call() {
    (( $+functions[$1] )) && "$1"
}

@@functions

_vta_commands() {
    local -a commands=(
@@commands
    )
    _describe -t commands command commands
}

_vta() {
    local state line
    local context
    typeset -A opt_args
    _arguments -C \
        '(- *)'{-h,--help}'[show the commands]' \
        '(- *)--version[show the version]' \
        '--debug[show the traceback of an error]' \
        ':command:_vta_commands' \
        '*::argument:->argument'
    [[ $state == argument ]] && _vta_call "_vta_$words[1]"
}

if [[ $funcstack[1] == _vta ]]; then
    _vta "$@"
else
    compdef _vta vta
fi
