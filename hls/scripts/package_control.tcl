# Vivado: the control block, hls/rtl, becomes an IP that the block design can use.

source [file join $env(VTA_SCRIPTS) plan.tcl]

# The sources lie in the IP's folder, the header beside the files that include it.
proc copy_sources {folder} {
    set top [planned control top]
    set header ${top}_regs.vh
    file mkdir $folder
    set sources [lsort [glob [hls_file rtl *.v]]]
    file copy -force {*}$sources [hls_file generated $header] $folder
    foreach source $sources {add_files -norecurse [file join $folder [file tail $source]]}
    add_files -norecurse [file join $folder $header]
    set_property file_type {Verilog Header} [get_files $header]
    set_property top $top [current_fileset]
    update_compile_order -fileset sources_1
}

proc signal_interface {core name kind parameters} {
    if {[llength [ipx::get_bus_interfaces -quiet $name -of_objects $core]] == 0} {
        ipx::infer_bus_interface $name xilinx.com:signal:${kind}_rtl:1.0 $core
    }
    set interface [ipx::get_bus_interfaces $name -of_objects $core]
    foreach {key value} $parameters {
        ipx::add_bus_parameter -quiet $key $interface
        set_property value $value [ipx::get_bus_parameters $key -of_objects $interface]
    }
}

# The packager guesses interfaces from names; the taps look like streams to it and are none.
proc keep_interfaces {core wanted} {
    foreach interface [ipx::get_bus_interfaces -of_objects $core] {
        set name [get_property name $interface]
        if {$name ni $wanted} {ipx::remove_bus_interface $name $core}
    }
}

proc describe_registers {core slave} {
    set map [ipx::get_memory_maps -quiet $slave -of_objects $core]
    if {[llength $map] == 0} {
        set map [ipx::add_memory_map $slave $core]
        set_property slave_memory_map_ref $slave [ipx::get_bus_interfaces $slave -of_objects $core]
    }
    set block [lindex [ipx::get_address_blocks -quiet -of_objects $map] 0]
    if {$block eq ""} {set block [ipx::add_address_block Reg $map]}
    set_property usage register $block
    set_property range [planned range_bytes] $block
    foreach register [planned control registers] {
        set added [ipx::add_register [dict get $register name] $block]
        set_property address_offset [dict get $register offset] $added
        set_property size 32 $added
        set_property access [dict get $register access] $added
        set_property description [dict get $register doc] $added
        foreach field [dict get $register fields] {
            set part [ipx::add_field [dict get $field name] $added]
            set_property bit_offset [dict get $field bit] $part
            set_property bit_width [dict get $field width] $part
            set_property access [dict get $field access] $part
            set_property description [dict get $field doc] $part
        }
    }
}

proc package_control {} {
    set control [planned control]
    set folder [work ip [dict get $control top]]
    set slave [dict get $control slave]
    set interrupt [dict get $control interrupt]
    create_project -force control [work control_project] -part [planned part]
    copy_sources $folder
    ipx::package_project -root_dir $folder -vendor [dict get $control vendor] \
        -library [dict get $control library] -taxonomy /UserIP
    set core [ipx::current_core]
    set_property name [dict get $control top] $core
    set_property version [dict get $control version] $core
    set_property display_name {VTA control} $core
    # One IP for every part that has boards.
    set_property supported_families {zynq Production zynquplus Production} $core
    signal_interface $core aclk clock {}
    signal_interface $core aresetn reset {POLARITY ACTIVE_LOW}
    signal_interface $core fifo_resetn reset {POLARITY ACTIVE_LOW}
    signal_interface $core module_resetn reset {POLARITY ACTIVE_LOW}
    signal_interface $core $interrupt interrupt {SENSITIVITY LEVEL_HIGH}
    keep_interfaces $core [list $slave aclk aresetn fifo_resetn module_resetn $interrupt]
    ipx::associate_bus_interfaces -busif $slave -clock aclk $core
    describe_registers $core $slave
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::check_integrity $core
    ipx::save_core $core
    close_project
}

run_and_exit {package_control}
