# fish completion for iio-focus

# Each sensor by its id, its IIO name and its label.
function __iio_focus_sensors
    set -l words (commandline -opc)
    set -l sysfs
    for i in (seq 2 (count $words))
        switch $words[$i]
            case '--sysfs=*'
                set sysfs $words[$i]
            case --sysfs
                set sysfs --sysfs $words[(math $i + 1)]
        end
    end
    iio-focus list $sysfs 2>/dev/null | string split \t | string match -v -- -
end

set -l run 'not __fish_seen_subcommand_from list doctor status chart export verify setup'

complete -c iio-focus -f
complete -c iio-focus -n $run -a list -d 'the usable sensors, one per line'
complete -c iio-focus -n $run -a doctor -d 'what is wrong, and how to mend it'
complete -c iio-focus -n $run -a status -d 'what the last runs did'
complete -c iio-focus -n $run -a chart -d 'the stored readings as a picture'
complete -c iio-focus -n $run -a export -d 'the stored readings as CSV or JSON lines'
complete -c iio-focus -n $run -a verify -d 'which readings arrived at WhaTap'
complete -c iio-focus -n $run -a setup -d 'overlay, configuration, timer and first reading'

complete -c iio-focus -s h -l help -d 'print the options'
complete -c iio-focus -n 'not __fish_seen_subcommand_from list setup' -l config -rF -d 'configuration, a TOML file'
complete -c iio-focus -n 'not __fish_seen_subcommand_from list status verify setup' -l device -x -a '(__iio_focus_sensors)' \
    -d 'which sensor'
complete -c iio-focus -n 'not __fish_seen_subcommand_from status chart export verify setup' -l sysfs -x \
    -a '(__fish_complete_directories)' -d 'where sysfs is mounted'

complete -c iio-focus -n $run -l attempts -x -d 'how many times to try the sensor'
complete -c iio-focus -n $run -l retry-delay -x -d 'pause after a failed try'
complete -c iio-focus -n $run -l deadline -x -d 'the whole run ends by then'
complete -c iio-focus -n $run -l dry-run -d 'print the JSON instead of delivering or storing it'
complete -c iio-focus -n $run -l log -x -a 'auto syslog stderr' -d 'where log lines go'
complete -c iio-focus -n '__fish_seen_subcommand_from verify' -l log -x -a 'auto syslog stderr' \
    -d 'one line there in place of the text'
complete -c iio-focus -n $run -l verbose -d 'log each try and each line that focus printed'
complete -c iio-focus -n $run -l version -d 'print the version'

complete -c iio-focus -n '__fish_seen_subcommand_from list doctor status export verify' -l json -d 'print JSON, for programs'
complete -c iio-focus -n '__fish_seen_subcommand_from doctor setup' -l root -x \
    -a '(__fish_complete_directories)' -d 'the root folder of the system'
complete -c iio-focus -n '__fish_seen_subcommand_from status' -l max-age -x -d 'the last reading may be this old'
complete -c iio-focus -n '__fish_seen_subcommand_from status' -l failures -x -d 'so many failed runs in a row are failing'
complete -c iio-focus -n '__fish_seen_subcommand_from status' -l output -rF -d 'replace this file instead of printing'
complete -c iio-focus -n '__fish_seen_subcommand_from status' -l prometheus \
    -d "print metrics for node_exporter's textfile collector"
complete -c iio-focus -n '__fish_seen_subcommand_from chart export verify' -l since -x -d 'from then on'
complete -c iio-focus -n '__fish_seen_subcommand_from chart export verify' -l until -x -d 'up to then'
complete -c iio-focus -n '__fish_seen_subcommand_from chart' -l svg -rF -d 'write an SVG picture to this file'
complete -c iio-focus -n '__fish_seen_subcommand_from chart' -l ascii -d 'use nothing but ASCII'
complete -c iio-focus -n '__fish_seen_subcommand_from verify' -l requeue -d 'put the missing ones back into the backlog'

set -l setup '__fish_seen_subcommand_from setup'
complete -c iio-focus -n $setup -l gpiopin -x -d "GPIO number of the sensor's data wire"
complete -c iio-focus -n $setup -l label -x -d 'name of the sensor'
complete -c iio-focus -n $setup -l pull -x -a 'off down up' -d "the Pi's own resistor"
complete -c iio-focus -n $setup -l pcode -x -d 'code of the WhaTap project'
complete -c iio-focus -n $setup -l server-host -x -d 'server of the WhaTap project'
complete -c iio-focus -n $setup -l category -x -d 'category of the readings'
complete -c iio-focus -n $setup -l oname -x -d 'name of this machine in WhaTap'
complete -c iio-focus -n $setup -l license-file -rF -d 'file that holds the licence'
complete -c iio-focus -n $setup -l api-token-file -rF -d 'file that holds the API token'
complete -c iio-focus -n $setup -l no-overlay -d 'leave config.txt alone'
complete -c iio-focus -n $setup -l no-timer -d 'leave the timer alone'
complete -c iio-focus -n $setup -l yes -d 'answer yes'
