# Completion of PROGRAM for fish. Load it with
#   PROGRAM completion fish | source
function FUNCTION
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' -- $HOME $words[1])
    set -l part (commandline -ct)
    for line in ($program __complete $words[2..-1] $part 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path $part
            case :pipelines
                __fish_complete_path $part | string match -r '.*(?:/|\.yaml|\.yml|\.json)(?:\t.*)?$'
            case '*'
                printf '%s\n' $line
        end
    end
end
complete -c PROGRAM -f -a '(FUNCTION)'
