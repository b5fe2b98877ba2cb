# Vitis HLS: one module of hls/src becomes an IP. VTA_MODULE names it.
#
#   vitis_hls -f hls_ip.tcl                 (2022.1 to 2024.1)
#   vitis-run --mode hls --tcl hls_ip.tcl   (2024.2 and later)

source [file join $env(VTA_SCRIPTS) plan.tcl]

proc module_named {name} {
    foreach module [planned modules] {
        if {[dict get $module name] eq $name} {return $module}
    }
    error "VTA_MODULE must be a module of the plan, not $name"
}

# All warnings stay on: they are read when a build is judged (docs/building-hardware.md).
proc macro_flags {} {
    set flags [list -std=c++14]
    dict for {name value} [planned macros] {lappend flags -D$name=$value}
    return [join $flags]
}

proc build_ip {module} {
    set top [dict get $module top]
    open_project -reset $top
    set_top $top
    add_files [hls_file src [dict get $module name].cpp] -cflags [macro_flags]
    open_solution -reset -flow_target vivado solution
    set_part [planned part]
    # Shorter than that of the design: what is left is for routing.
    create_clock -period [planned hls_period_ns] -name default
    # Byte addresses have 32 bits (hls/src/types.hpp).
    config_interface -m_axi_addr64=false
    # `control` resets what pragmas name, and no memories; AXI wants resets that are active low.
    config_rtl -reset control -reset_level low
    csynth_design
    export_design -rtl verilog -format ip_catalog -ipname $top \
        -vendor [dict get $module vendor] -library [dict get $module library] \
        -version [dict get $module version]
    close_project
}

run_and_exit {
    file mkdir [work hls]
    cd [work hls]
    build_ip [module_named $env(VTA_MODULE)]
}
