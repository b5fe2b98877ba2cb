# Vivado: from the IPs to a bitstream. A design that misses its timing gets none.

source [file join $env(VTA_SCRIPTS) plan.tcl]
source [file join $env(VTA_SCRIPTS) block_design.tcl]

# The newest installed version of the first board part that is installed.
proc board_part {} {
    foreach name [planned board_parts] {
        set found [lsort -dictionary [get_board_parts -quiet $name:*]]
        if {[llength $found]} {return [lindex $found end]}
    }
    error "board files of [join [planned board_parts] { or }] must be installed in Vivado"
}

# The newest version of a carrier that fits the board part.
proc connections {} {
    set words [list]
    dict for {connector carrier} [planned board_connections] {lappend words $connector $carrier:*}
    return $words
}

proc open_new_project {} {
    create_project -force project [work project] -part [planned part]
    set_property board_part [board_part] [current_project]
    if {[dict size [planned board_connections]]} {
        set_property board_connections [connections] [current_project]
    }
    set folders [list [work ip]]
    foreach module [planned modules] {
        lappend folders [work hls [dict get $module top] solution impl ip]
    }
    set_property ip_repo_paths $folders [current_project]
    update_ip_catalog -rebuild
}

proc add_wrapper {design} {
    set file [get_files $design.bd]
    generate_target all $file
    set wrapper [make_wrapper -files $file -top]
    add_files -norecurse $wrapper
    set_property top ${design}_wrapper [current_fileset]
    update_compile_order -fileset sources_1
}

# Starts a run and waits; a run has no deadline of its own, so build.py's holds.
proc finish_run {run args} {
    global env
    launch_runs $run -jobs $env(VTA_JOBS) {*}$args
    wait_on_run $run
    if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
        error "run $run must finish, and does not: [get_property STATUS [get_runs $run]]"
    }
}

proc write_reports {} {
    file mkdir [work reports]
    report_timing_summary -max_paths 10 -file [work reports timing.rpt]
    report_utilization -file [work reports utilization.rpt]
    report_utilization -hierarchical -file [work reports utilization_hierarchy.rpt]
    report_clock_utilization -file [work reports clocks.rpt]
    report_power -file [work reports power.rpt]
    report_drc -file [work reports drc.rpt]
}

# Worst slacks of setup and hold, in ns. A number that is not there is no timing that is met.
proc check_timing {} {
    foreach {name what} {WNS setup WHS hold} {
        set slack [get_property STATS.$name [get_runs impl_1]]
        tell [string tolower $name]_ns $slack
        if {![string is double -strict $slack]} {
            error "timing: $name must be known, and is '$slack'; see reports/timing.rpt"
        }
        lappend slacks $what $slack
    }
    foreach {what slack} $slacks {
        if {$slack < 0} {
            tell timing missed
            error "timing: slack of $what must be at least 0 ns, not $slack;\
                   see reports/timing.rpt, or lower clock_mhz"
        }
    }
    tell timing met
}

proc keep_results {design} {
    set folder [get_property DIRECTORY [get_runs impl_1]]
    set hand_off [glob -nocomplain [work project project.gen sources_1 bd $design hw_handoff *.hwh]]
    file copy -force [file join $folder ${design}_wrapper.bit] [work [planned name].bit]
    file copy -force [only $hand_off {hand-off file}] [work [planned name].hwh]
}

run_and_exit {
    tell vivado [version -short]
    open_new_project
    create_block_design vta_design
    add_wrapper vta_design
    finish_run synth_1
    finish_run impl_1
    open_run impl_1
    write_reports
    check_timing
    finish_run impl_1 -to_step write_bitstream
    keep_results vta_design
}
