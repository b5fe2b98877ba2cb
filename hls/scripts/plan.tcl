# What every script of this folder begins with: the plan, and looking things up in it.
#
# vta_pynq/hardware/build.py starts the scripts and gives them, in the environment:
#   VTA_PLAN     the script that sets `plan` (vta_pynq/hardware/plan.py)
#   VTA_SCRIPTS  this folder
#   VTA_HLS      the folder hls of the source tree
#   VTA_WORK     an empty folder, for everything that is written
# A path is not taken from [info script], because not every tool that runs Tcl sets it.

source $env(VTA_PLAN)

# The value at a path of keys of the plan.
proc planned {args} {
    global plan
    return [dict get $plan {*}$args]
}

proc work {args} {
    global env
    return [file join $env(VTA_WORK) {*}$args]
}

proc hls_file {args} {
    global env
    return [file join $env(VTA_HLS) {*}$args]
}

# Runs a script and leaves the tool: 0, or 1 with the message where it fails. The tools' own way
# of ending after an error depends on the tool and its release.
proc run_and_exit {body} {
    if {[catch {uplevel #0 $body} message options]} {
        puts stderr "VTA: $message"
        puts stderr [dict get $options -errorinfo]
        exit 1
    }
    exit 0
}

# A fact for build.py, one a line: name, tab, value.
proc tell {name value} {
    set file [open [work facts.txt] a]
    puts $file "$name\t$value"
    close $file
}
