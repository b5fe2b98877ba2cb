# The block design: processing system, the four modules, the control block, and what joins them.
#
# Streams and memories are joined pin by pin: the control block watches their handshakes, and a
# pin of a joined interface cannot be watched without being joined by itself. AXI is joined by
# interfaces, and only the handshakes that are watched by pins as well; Vivado then says that the
# user overrides them (BD 41-1306), which is meant.
#
# Needs plan.tcl; build.tcl calls `create_block_design`.

# ---- looking up and joining ----------------------------------------------------------------

# Vivado only warns about a name that is not there and goes on without it.
proc only {found what} {
    if {[llength $found] != 1} {error "block design: $what must exist, and does not"}
    return $found
}
proc pin {name} {return [only [get_bd_pins -quiet $name] "pin $name"]}
proc interface {name} {return [only [get_bd_intf_pins -quiet $name] "interface $name"]}

proc join_pins {args} {
    set found [list]
    foreach name $args {lappend found [pin $name]}
    connect_bd_net {*}$found
}
proc join_interfaces {from to} {connect_bd_intf_net [interface $from] [interface $to]}

proc cell {name vlnv settings} {
    set made [only [create_bd_cell -type ip -vlnv $vlnv $name] "IP $vlnv"]
    set words [list]
    foreach {key value} $settings {lappend words CONFIG.$key $value}
    if {[llength $words]} {set_property -dict $words $made}
    return $made
}

proc ps_pin {key} {
    return [planned processing_system instance]/[planned processing_system $key]
}
proc clock_pins {args} {join_pins [ps_pin clock_pin] {*}$args}

# ---- processing system, clock, reset ---------------------------------------------------------

proc create_processing_system {} {
    set ps [planned processing_system]
    set made [cell [dict get $ps instance] [dict get $ps vlnv] {}]
    apply_bd_automation -rule [dict get $ps automation_rule] \
        -config [dict get $ps automation] $made
    # After the automation, whose preset has a clock and ports of its own.
    set words [list]
    dict for {key value} [dict get $ps settings] {lappend words CONFIG.$key $value}
    set_property -dict $words $made
    foreach name [dict get $ps clock_inputs] {clock_pins [dict get $ps instance]/$name}
}

proc create_reset {} {
    cell proc_sys_reset_0 xilinx.com:ip:proc_sys_reset:5.0 {}
    clock_pins proc_sys_reset_0/slowest_sync_clk
    join_pins [ps_pin reset_pin] proc_sys_reset_0/ext_reset_in
}

# ---- modules and the control block ------------------------------------------------------------

proc create_modules {} {
    foreach module [planned modules] {
        set name [dict get $module name]_0
        cell $name [dict get $module vlnv] {}
        clock_pins $name/ap_clk
    }
    set control [planned control]
    cell control_0 [dict get $control vlnv] [dict get $control parameters]
    clock_pins control_0/aclk
    join_pins proc_sys_reset_0/peripheral_aresetn control_0/aresetn
    foreach module [planned modules] {
        set name [dict get $module name]
        join_pins control_0/module_resetn ${name}_0/ap_rst_n
        join_pins ${name}_0/fault control_0/${name}_fault
        join_pins ${name}_0/fault_ap_vld control_0/${name}_fault_ap_vld
    }
    join_pins compute_0/finished_ap_vld control_0/finished_ap_vld
}

# ---- streams ----------------------------------------------------------------------------------

# The module's side, the FIFO's side and the control block's tap of each handshake are one net.
proc create_fifo {fifo} {
    set name [dict get $fifo name]
    set from [dict get $fifo from]_0/$name
    set to [dict get $fifo to]_0/$name
    set middle ${name}_fifo
    cell $middle xilinx.com:ip:axis_data_fifo:2.0 [list \
        TDATA_NUM_BYTES [expr {[dict get $fifo bits] / 8}] FIFO_DEPTH [dict get $fifo depth] \
        HAS_TKEEP 0 HAS_TSTRB 0 HAS_TLAST 0 IS_ACLK_ASYNC 0]
    clock_pins $middle/s_axis_aclk
    join_pins control_0/fifo_resetn $middle/s_axis_aresetn
    join_pins ${from}_TDATA $middle/s_axis_tdata
    join_pins ${from}_TVALID $middle/s_axis_tvalid control_0/${name}_push_tvalid
    join_pins $middle/s_axis_tready ${from}_TREADY control_0/${name}_push_tready
    join_pins $middle/m_axis_tdata ${to}_TDATA
    join_pins $middle/m_axis_tvalid ${to}_TVALID control_0/${name}_pop_tvalid
    join_pins ${to}_TREADY $middle/m_axis_tready control_0/${name}_pop_tready
}

# ---- memories ---------------------------------------------------------------------------------

# Port A is the writer's, port B the reader's. Neither does the other thing, so a simple dual-port
# memory is enough; shallow ones then take half the blocks of a true dual-port memory.
proc create_memory {memory} {
    set name [dict get $memory name]
    set bits [dict get $memory bits]
    set from [dict get $memory from]_0/$name
    set to [dict get $memory to]_0/$name
    set block ${name}_ram
    cell $block xilinx.com:ip:blk_mem_gen:8.4 [list \
        use_bram_block Stand_Alone Memory_Type Simple_Dual_Port_RAM \
        Enable_32bit_Address true Use_Byte_Write_Enable true Byte_Size 8 \
        Write_Width_A $bits Read_Width_A $bits Write_Width_B $bits Read_Width_B $bits \
        Write_Depth_A [dict get $memory depth] Operating_Mode_A READ_FIRST \
        Assume_Synchronous_Clk true Enable_A Use_ENA_Pin Enable_B Use_ENB_Pin \
        Register_PortA_Output_of_Memory_Primitives false \
        Register_PortB_Output_of_Memory_Primitives false \
        Use_RSTA_Pin false Use_RSTB_Pin false EN_SAFETY_CKT false]
    join_pins ${from}_Clk_A $block/clka
    join_pins ${from}_EN_A $block/ena
    join_pins ${from}_WEN_A $block/wea
    join_pins ${from}_Addr_A $block/addra
    join_pins ${from}_Din_A $block/dina
    join_pins ${to}_Clk_A $block/clkb
    join_pins ${to}_EN_A $block/enb
    join_pins ${to}_Addr_A $block/addrb
    join_pins $block/doutb ${to}_Dout_A
    # The writer reads nothing; its data input must not float.
    join_pins [zeros $bits] ${from}_Dout_A
}

# The output of a constant of so many zero bits.
proc zeros {bits} {
    set name zeros_$bits
    if {[llength [get_bd_cells -quiet $name]] == 0} {
        cell $name xilinx.com:ip:xlconstant:1.1 [list CONST_WIDTH $bits CONST_VAL 0]
    }
    return $name/dout
}

# ---- AXI --------------------------------------------------------------------------------------

proc smartconnect {name slaves masters} {
    cell $name xilinx.com:ip:smartconnect:1.0 [list NUM_SI $slaves NUM_MI $masters NUM_CLKS 1]
    clock_pins $name/aclk
    join_pins proc_sys_reset_0/interconnect_aresetn $name/aresetn
}

proc numbered {letter number} {return [format "%s%02d_AXI" $letter $number]}

proc create_control_path {} {
    set slaves [list]
    foreach module [planned modules] {
        lappend slaves [dict get $module name]_0/[dict get $module slave]
    }
    lappend slaves control_0/[planned control slave] axi_intc_0/[planned intc slave]
    smartconnect control_smc 1 [llength $slaves]
    join_interfaces [ps_pin control_port] control_smc/[numbered S 0]
    set number 0
    foreach slave $slaves {
        join_interfaces control_smc/[numbered M $number] $slave
        incr number
    }
}

# Handshakes of an AXI master that the control block watches; which ones depends on the direction.
proc watched {direction} {
    return [dict get {
        read {ARVALID ARREADY RVALID RREADY RLAST} write {AWVALID AWREADY BVALID BREADY}
    } $direction]
}

proc create_memory_path {group number} {
    set masters [dict get $group masters]
    set middle memory_smc_$number
    smartconnect $middle [llength $masters] 1
    set place 0
    foreach entry $masters {
        set master [dict get $entry block]_0/[dict get $entry master]
        set slave $middle/[numbered S $place]
        join_interfaces $master $slave
        regsub {^m_axi_} [dict get $entry master] {} port
        foreach signal [watched [dict get $entry direction]] {
            set word [string tolower $signal]
            join_pins ${master}_$signal ${slave}_$word control_0/${port}_$word
        }
        if {[dict get $group coherent]} {mark_cacheable $entry}
        incr place
    }
    join_interfaces $middle/[numbered M 0] \
        [planned processing_system instance]/[dict get $group port]
}

# A coherent port snoops only for transactions that say so.
proc mark_cacheable {entry} {
    set name C_[string toupper [dict get $entry master]]_CACHE_VALUE
    set_property CONFIG.$name {"1111"} [get_bd_cells [dict get $entry block]_0]
}

# ---- interrupts -------------------------------------------------------------------------------

proc create_interrupts {} {
    set sources [planned interrupts]
    cell axi_intc_0 [planned intc vlnv] {C_IRQ_CONNECTION 1}
    clock_pins axi_intc_0/s_axi_aclk
    join_pins proc_sys_reset_0/peripheral_aresetn axi_intc_0/s_axi_aresetn
    cell xlconcat_0 xilinx.com:ip:xlconcat:2.1 [list NUM_PORTS [llength $sources]]
    set number 0
    foreach source $sources {
        join_pins [dict get $source block]_0/[dict get $source pin] xlconcat_0/In$number
        incr number
    }
    join_pins xlconcat_0/dout axi_intc_0/intr
    join_pins axi_intc_0/[planned intc pin] [ps_pin interrupt_pin]
}

# ---- hierarchy and addresses ------------------------------------------------------------------

proc blocks {} {
    set names [list]
    foreach module [planned modules] {lappend names [dict get $module name]}
    lappend names control
    return $names
}

# Only the blocks, as the generated .hwh files have it; what joins them stays outside.
proc group_blocks {} {
    set cells [list]
    foreach name [blocks] {lappend cells [only [get_bd_cells -quiet ${name}_0] "cell ${name}_0"]}
    group_bd_cells [planned hierarchy] $cells
}

proc space {name} {return [only [get_bd_addr_spaces -quiet $name] "address space $name"]}
proc segment {name} {return [only [get_bd_addr_segs -quiet $name] "address segment $name"]}

# The segment of an IP's slave: packagers name its address block differently.
proc slave_segment {name} {return [only [get_bd_addr_segs -quiet $name/*] "segment of $name"]}

proc assign_addresses {} {
    set registers [space [planned processing_system instance]/[planned processing_system control_space]]
    set inside [planned hierarchy]
    set slaves [dict create]
    foreach module [concat [planned modules] [list [planned control]]] {
        set name [dict get $module name]
        dict set slaves $name $inside/${name}_0/[dict get $module slave]
    }
    dict set slaves intc axi_intc_0/[planned intc slave]
    dict for {name slave} $slaves {
        assign_bd_address -offset [planned addresses $name] -range [planned range_bytes] \
            -target_address_space $registers [slave_segment $slave] -force
    }
    foreach group [planned memory] {
        set memory [segment [planned processing_system instance]/[dict get $group segment]]
        foreach entry [dict get $group masters] {
            set from [space $inside/[dict get $entry block]_0/Data_[dict get $entry master]]
            assign_bd_address -offset [dict get $group base] -range [dict get $group bytes] \
                -target_address_space $from $memory -force
        }
    }
}

proc create_block_design {name} {
    create_bd_design $name
    create_processing_system
    create_reset
    create_modules
    foreach fifo [planned fifos] {create_fifo $fifo}
    foreach memory [planned memories] {create_memory $memory}
    create_interrupts
    create_control_path
    set number 0
    foreach group [planned memory] {
        create_memory_path $group $number
        incr number
    }
    group_blocks
    assign_addresses
    validate_bd_design
    save_bd_design
}
