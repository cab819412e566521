#compdef PROGRAM
# Completion of PROGRAM for zsh. Load it after compinit with
#   source <(PROGRAM completion zsh)
# or write it to the file FUNCTION in a folder of $fpath.
FUNCTION() {
    local line name files program=${${(Q)words[1]}/#\~/$HOME}
    local -a found
    while IFS= read -r line; do
        case $line in
        :files | :pipelines) files=$line ;;
        *)
            name=${line%%$'\t'*}
            found+=("${name//:/\\:}${${line#"$name"}/#$'\t'/:}")
            ;;
        esac
    done < <("$program" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#found )) && _describe -V 'completions' found
    case $files in
    :files) _files ;;
    :pipelines) _files -g '*.(yaml|yml|json)' ;;
    esac
}
if [[ $funcstack[1] == FUNCTION ]]; then
    FUNCTION "$@"
else
    compdef FUNCTION PROGRAM
fi
