# Completion of PROGRAM for bash. Load it with
#   source <(PROGRAM completion bash)
FUNCTION() {
    local -a words
    local typed=${COMP_LINE:0:COMP_POINT} line last program files=
    read -ra words <<<"$typed"
    [[ $typed == *[[:space:]] ]] && words+=('')
    last=${words[${#words[@]} - 1]}
    program=${words[0]/#\~/$HOME}
    # What bash completes begins after the last of these characters.
    local before=${last%"${last##*[=:]}"} part=${last##*[=:]}
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files | :pipelines) files=$line ;;
        *) line=${line%%$'\t'*} && COMPREPLY+=("${line#"$before"}") ;;
        esac
    done < <("$program" __complete "${words[@]:1}" 2>/dev/null)
    [[ -z $files ]] && return
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(
        if [[ $files == :files ]]; then
            compgen -f -- "$part"
        else
            compgen -d -- "$part"
            for line in yaml yml json; do compgen -f -X "!*.$line" -- "$part"; done
        fi
    )
}
complete -F FUNCTION -- PROGRAM
