# Processing system, DMA and accelerator as one design with one clock:
#
#   ps (control port) -> registers -> DMA, accelerator          DMA <-> memory -> ps (memory port)
#   DMA -> accelerator -> DMA                                   AXI4-Stream

proc hlsgen::block_design {} {
    variable pins
    create_bd_design [setting block_design]
    set ps [create_bd_cell -type ip -vlnv [setting ps_ip] [setting ps]]
    set pins [hlsgen::[setting family] $ps]
    create_bd_cell -type ip -vlnv [vlnv] [setting accelerator]
    make_reset
    make_dma
    interconnect registers [list [setting ps]/[setting control_port]] \
        [list [setting accelerator]/s_axi_control [setting dma]/S_AXI_LITE]
    interconnect memory [list [setting dma]/M_AXI_MM2S [setting dma]/M_AXI_S2MM] \
        [list [setting ps]/[setting memory_port]]
    join_interfaces [setting dma]/M_AXIS_MM2S [setting accelerator]/s_axis
    join_interfaces [setting accelerator]/m_axis [setting dma]/S_AXIS_S2MM
    foreach pin [dict get $pins port_clocks] {
        drive_clock [setting ps]/$pin
    }
    drive_clock [setting accelerator]/ap_clk
    drive_reset [setting accelerator]/ap_rst_n peripheral
    map_addresses
    validate_bd_design
    save_bd_design
    set file [get_files [setting block_design].bd]
    add_files -norecurse [list [make_wrapper -files $file -top]]
    set_property top [setting block_design]_wrapper [current_fileset]
    update_compile_order -fileset sources_1
}

proc hlsgen::make_reset {} {
    variable pins
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
    drive_clock reset/slowest_sync_clk
    connect_bd_net [get_bd_pins [setting ps]/[dict get $pins reset]] [get_bd_pins reset/ext_reset_in]
}

# Simple mode: no descriptors, two channels. Buffers are aligned, so no realignment engine.
proc hlsgen::make_dma {} {
    set bits [setting stream_bits]
    set dma [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma [setting dma]]
    # else Vivado derives the width from whatever is connected
    set_property CONFIG.c_s_axis_s2mm_tdata_width.VALUE_SRC USER $dma
    # a Zynq-7000's memory port is AXI3: 16 words; an MPSoC's takes what stays in 4 KB
    set burst [expr {[setting family] eq "zynq7" ? 16 : 64}]
    set_property -dict [list \
        CONFIG.c_include_sg 0 \
        CONFIG.c_sg_include_stscntrl_strm 0 \
        CONFIG.c_sg_length_width [setting length_bits] \
        CONFIG.c_addr_width [setting address_bits] \
        CONFIG.c_include_mm2s 1 \
        CONFIG.c_m_axi_mm2s_data_width $bits \
        CONFIG.c_m_axis_mm2s_tdata_width $bits \
        CONFIG.c_include_mm2s_dre 0 \
        CONFIG.c_mm2s_burst_size $burst \
        CONFIG.c_include_s2mm 1 \
        CONFIG.c_m_axi_s2mm_data_width $bits \
        CONFIG.c_s_axis_s2mm_tdata_width $bits \
        CONFIG.c_include_s2mm_dre 0 \
        CONFIG.c_s2mm_burst_size $burst \
    ] $dma
    foreach pin {s_axi_lite_aclk m_axi_mm2s_aclk m_axi_s2mm_aclk} {
        drive_clock [setting dma]/$pin
    }
    drive_reset [setting dma]/axi_resetn peripheral
}

# An interconnect between masters and slaves.
#
# On a Zynq-7000 that is the AXI Interconnect where Vivado still has it, for the SmartConnect takes thousands of the
# 53,200 LUTs that a 7020 has. On an MPSoC, which has more of them, it is the SmartConnect: AMD recommends it there.
proc hlsgen::interconnect {name masters slaves} {
    # -all: newer versions hide it in their catalogue
    set classic [lindex [lsort -dictionary [get_ipdefs -all xilinx.com:ip:axi_interconnect:*]] end]
    if {[setting family] ne "zynq7" || $classic eq ""} {
        set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect $name]
        set own {aclk aresetn}
        set each {}
    } else {
        set cell [create_bd_cell -type ip -vlnv $classic $name]
        set own {ACLK ARESETN}
        set each {_ACLK _ARESETN}
    }
    set_property -dict [list CONFIG.NUM_SI [llength $masters] CONFIG.NUM_MI [llength $slaves]] $cell
    set ends {}
    set index 0
    foreach master $masters {
        set end [format %s/S%02d $name $index]
        join_interfaces $master ${end}_AXI
        lappend ends $end
        incr index
    }
    set index 0
    foreach slave $slaves {
        set end [format %s/M%02d $name $index]
        join_interfaces ${end}_AXI $slave
        lappend ends $end
        incr index
    }
    drive_clock $name/[lindex $own 0]
    drive_reset $name/[lindex $own 1] interconnect
    foreach end $ends {
        foreach {clock reset} $each {
            drive_clock $end$clock
            drive_reset $end$reset peripheral
        }
    }
}

proc hlsgen::join_interfaces {from to} {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

proc hlsgen::drive_clock {pin} {
    variable pins
    connect_bd_net [get_bd_pins [setting ps]/[dict get $pins clock]] [get_bd_pins $pin]
}

# $kind: interconnect or peripheral, in which order the reset block releases them.
proc hlsgen::drive_reset {pin kind} {
    connect_bd_net [get_bd_pins reset/${kind}_aresetn] [get_bd_pins $pin]
}

# Registers where the driver looks for them, and all DRAM, but nothing else of the processing system, for the DMA.
proc hlsgen::map_addresses {} {
    variable pins
    set processor [get_bd_addr_spaces [setting ps]/Data]
    foreach {interface address} [list \
        [setting accelerator]/s_axi_control [setting accelerator_address] \
        [setting dma]/S_AXI_LITE [setting dma_address] \
    ] {
        assign_bd_address -offset $address -range [setting segment_bytes] -target_address_space $processor \
            [get_bd_addr_segs -of_objects [get_bd_intf_pins $interface]]
    }
    foreach channel {MM2S S2MM} {
        set space [get_bd_addr_spaces [setting dma]/Data_$channel]
        set found 0
        foreach memory [dict get $pins memories] {
            # the part above 2 GB is there only where the board has it
            set segment [get_bd_addr_segs -quiet [setting ps]/$memory]
            if {[llength $segment]} {
                assign_bd_address -target_address_space $space $segment
                incr found
            }
        }
        if {!$found} {
            fail block_design "the processing system has no memory behind [setting memory_port]"
        }
    }
}
