# bash completion for iio-focus

_iio_focus() {
    # bash splits words at = : and @, which sensors' names hold: the line tells where a word really begins.
    local line=${COMP_LINE:0:COMP_POINT}
    local words current option='' command='' sysfs=() word
    current=${line##*[[:space:]]}
    read -ra words <<<"${line%"$current"}"
    [[ $current == --*=* ]] && words+=("${current%%=*}") && current=${current#*=}
    for word in "${words[@]:1}"; do
        # What an option takes is no command.
        case $option in
        --sysfs) sysfs=(--sysfs "$word") ;;
        esac
        case $option,$word in
        ,--*=*) [[ $word == --sysfs=* ]] && sysfs=(--sysfs "${word#*=}") ;;
        ,--dry-run | ,--verbose | ,--version | ,--help | ,--json | ,--prometheus | ,--ascii | ,--requeue | \
            ,--no-overlay | ,--no-timer | ,--yes) ;;
        ,--*) option=$word ;;
        ,*) command=${command:-$word} ;;
        *) option='' ;;
        esac
    done

    local choices=()
    case $option in
    --config | --svg | --license-file | --api-token-file) mapfile -t choices < <(compgen -f -- "$current") ;;
    --sysfs | --root) mapfile -t choices < <(compgen -d -- "$current") ;;
    --device) mapfile -t choices < <(iio-focus list "${sysfs[@]}" 2>/dev/null | tr '\t' '\n' | grep -vx -e -) ;;
    --log) choices=(auto syslog stderr) ;;
    --pull) choices=(off down up) ;;
    --*) ;;
    *)
        case $command in
        '')
            choices=(list doctor status chart export verify setup --config --device --sysfs --attempts --retry-delay --deadline
                --dry-run --log --verbose --version --help)
            ;;
        list) choices=(--sysfs --json --help) ;;
        doctor) choices=(--config --device --sysfs --root --json --help) ;;
        status) choices=(--config --max-age --failures --output --json --prometheus --help) ;;
        chart) choices=(--config --device --since --until --svg --ascii --help) ;;
        export) choices=(--config --device --since --until --json --help) ;;
        verify) choices=(--config --since --until --log --json --requeue --help) ;;
        setup)
            choices=(--gpiopin --label --pull --pcode --server-host --category --oname --license-file --api-token-file
                --root --no-overlay --no-timer --yes --help)
            ;;
        esac
        ;;
    esac

    # What stands before bash's own word is on the line already.
    local known=${COMP_WORDS[COMP_CWORD]} choice
    [[ $known == [=:@] ]] && known=
    known=${current%"$known"}
    COMPREPLY=()
    for choice in "${choices[@]}"; do
        if [[ $choice == "$current"* ]]; then
            choice=${choice#"$known"}
            [[ $option == --device ]] && printf -v choice %q "$choice"
            COMPREPLY+=("$choice")
        fi
    done
    case $option in
    --config | --svg | --output | --license-file | --api-token-file | --sysfs | --root) compopt -o filenames 2>/dev/null ;;
    esac
    return 0
}
complete -F _iio_focus iio-focus
