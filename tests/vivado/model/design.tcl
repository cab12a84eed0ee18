# Block designs: cells, pins, interfaces, parameters, addresses, and what validation finds wrong with them.

namespace eval design {
    variable cells        ;# cell -> VLNV without version
    variable config       ;# cell,parameter -> value
    variable set_by_hand  ;# cell,parameter -> 1
    variable net          ;# pin -> driving pin
    variable partner      ;# interface -> interface at the other end
    variable mapped {}    ;# lists of space, segment, offset, range
    variable validated 0
    array set cells {}
    array set config {}
    array set net {}
    array set partner {}
}

proc design::boundary {cell} {
    variable cells
    variable config
    set values {}
    foreach {parameter _} [catalogue::parameters $cells($cell)] {
        lappend values $parameter $config($cell,$parameter)
    }
    return [catalogue::boundary $cells($cell) $values]
}

proc design::find {path kind} {
    variable cells
    foreach {cell name} [split [string trimleft $path /] /] break
    if {[info exists cells($cell)]} {
        foreach entry [lindex [boundary $cell] [expr {$kind eq "interface"}]] {
            if {[lindex $entry 0] eq $name} {
                return $entry
            }
        }
    }
    return {}
}

proc design::configure {cell name value} {
    variable cells
    variable config
    variable set_by_hand
    array set known [catalogue::parameters $cells($cell)]
    if {![info exists known($name)]} {
        bad "$cells($cell) has no parameter $name"
    }
    if {![legal $value [lindex $known($name) 1]]} {
        bad "$value is no value of $name on $cell"
    }
    set config($cell,$name) $value
    set set_by_hand($cell,$name) 1
    set frequencies {
        PCW_FPGA0_PERIPHERAL_FREQMHZ PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ
        PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ
    }
    set place [lsearch -exact $frequencies $name]
    if {$place >= 0} {
        set config($cell,[lindex $frequencies [expr {$place + 1}]]) [nearest $value]
    }
}

proc design::legal {value allowed} {
    if {$allowed eq "*"} {
        return 1
    }
    if {[regexp {^([\d.]+?)\.\.([\d.]+)$} $allowed -> low high]} {
        return [expr {[string is double -strict $value] && $value >= $low && $value <= $high}]
    }
    return [expr {[lsearch -exact $allowed $value] >= 0}]
}

# The nearest clock that two dividers of 6 bits make of the PLL.
proc design::nearest {mhz} {
    set best 0
    for {set first 1} {$first < 64} {incr first} {
        for {set second 1} {$second < 64} {incr second} {
            set made [expr {$::world(pll) / double($first * $second)}]
            if {abs($made - $mhz) < abs($best - $mhz)} {
                set best $made
            }
        }
    }
    return [format %.6f $best]
}

proc design::segments_of {interface} {
    variable cells
    foreach {cell name} [split $interface /] break
    if {![info exists cells($cell)]} {
        return {}
    }
    switch -glob -- $cells($cell):$name {
        *:axi_dma:S_AXI_LITE {return $cell/S_AXI_LITE/Reg}
        *:accel:s_axi_control {return $cell/s_axi_control/reg0}
    }
    return {}
}

# Fixed segments of the processing system's memory ports: segment, offset, range.
proc design::memories {} {
    variable cells
    variable config
    set all {}
    foreach cell [array names cells] {
        if {[string match *:processing_system7 $cells($cell)] && $config($cell,PCW_USE_S_AXI_HP0)} {
            lappend all $cell/S_AXI_HP0/HP0_DDR_LOWOCM 0 0x20000000
        }
        if {[string match *:zynq_ultra_ps_e $cells($cell)] && $config($cell,PSU__USE__S_AXI_GP2)} {
            lappend all $cell/SAXIGP2/HP0_DDR_LOW 0 0x80000000 $cell/SAXIGP2/HP0_QSPI 0xC0000000 0x20000000
            if {$config($cell,PSU__HIGH_ADDRESS__ENABLE)} {
                lappend all $cell/SAXIGP2/HP0_DDR_HIGH 0x800000000 0x800000000
            }
        }
    }
    return $all
}

# Every fault of the design, in words.
proc design::faults {} {
    variable cells
    variable config
    variable net
    variable partner
    variable mapped
    variable set_by_hand
    set faults {}
    foreach cell [lsort [array names cells]] {
        foreach {pins interfaces} [boundary $cell] break
        foreach pin $pins {
            foreach {name direction type} $pin break
            if {$direction eq "I" && ![info exists net($cell/$name)]} {
                lappend faults "pin $cell/$name ($type) is not connected"
            }
        }
        foreach interface $interfaces {
            foreach {name mode protocol clock required} $interface break
            if {$required eq "external" && ![info exists partner($cell/$name)]} {
                lappend faults "$cell/$name is not external"
            } elseif {$required eq 1 && ![info exists partner($cell/$name)]} {
                lappend faults "interface $cell/$name is not connected"
            } elseif {$required ne "external" && [info exists partner($cell/$name)]} {
                set other $partner($cell/$name)
                set clocks {}
                foreach end [list $cell/$name $other] {
                    set pin [lindex [split $end /] 0]/[lindex [find $end interface] 3]
                    lappend clocks [expr {[info exists net($pin)] ? $net($pin) : $pin}]
                }
                if {[lindex $clocks 0] ne [lindex $clocks 1]} {
                    lappend faults "$cell/$name and $other have different clocks"
                }
            }
        }
        if {[string match *:axi_dma $cells($cell)]} {
            if {![info exists set_by_hand($cell,c_s_axis_s2mm_tdata_width.VALUE_SRC)]} {
                lappend faults "the width of $cell's input is not the user's"
            }
            foreach {channel stream} {mm2s c_m_axis_mm2s_tdata_width s2mm c_s_axis_s2mm_tdata_width} {
                if {$config($cell,$stream) > $config($cell,c_m_axi_${channel}_data_width)} {
                    lappend faults "$stream is wider than the memory side"
                }
                if {$config($cell,$stream) != $::world(stream_bits)} {
                    lappend faults "$stream is $config($cell,$stream), the accelerator's is $::world(stream_bits)"
                }
            }
        }
    }
    set places {}
    foreach entry $mapped {
        foreach {space segment offset range} $entry break
        if {$offset % $range} {
            lappend faults "$segment at $offset is not aligned to its $range bytes"
        }
        foreach {other low high} $places {
            if {$other eq $space && $offset < $high && $low < $offset + $range} {
                lappend faults "$segment overlaps another segment of $space"
            }
        }
        lappend places $space $offset [expr {$offset + $range}]
    }
    foreach cell [array names cells] {
        foreach interface [lindex [boundary $cell] 1] {
            foreach segment [segments_of $cell/[lindex $interface 0]] {
                if {[lsearch -glob $mapped "*/Data $segment *"] < 0} {
                    lappend faults "$segment has no address"
                }
            }
        }
        if {[string match *:axi_dma $cells($cell)]} {
            foreach channel {MM2S S2MM} {
                if {[lsearch -glob $mapped "$cell/Data_$channel *DDR_LOW*"] < 0} {
                    lappend faults "$cell/Data_$channel reaches no memory"
                }
            }
        }
    }
    return $faults
}

# -- Vivado's commands ------------------------------------------------------------------------------------------------

proc create_bd_design {name} {
    need_project
    set ::design::name $name
    return $name
}

proc create_bd_cell {args} {
    parse $args {-type 1 -vlnv 1} opt rest
    if {![info exists ::design::name]} {
        bad "create_bd_cell without a block design"
    }
    set name [lindex $rest 0]
    if {[info exists design::cells($name)]} {
        bad "there is a cell $name already"
    }
    foreach {vendor library ip version} [split $opt(-vlnv) :] break
    set known [lindex [lsort -dictionary [get_ipdefs -all $vendor:$library:$ip:*]] end]
    if {$known eq "" || ($version ne "" && $known ne $opt(-vlnv))} {
        bad "there is no IP $opt(-vlnv)"
    }
    set design::cells($name) $vendor:$library:$ip
    foreach {parameter entry} [catalogue::parameters $vendor:$library:$ip] {
        set design::config($name,$parameter) [lindex $entry 0]
    }
    return $name
}

proc apply_bd_automation {args} {
    parse $args {-rule 1 -config 1} opt rest
    set cell [lindex $rest 0]
    set ip $design::cells($cell)
    if {[lindex [split $opt(-rule) :] end] ne [lindex [split $ip :] end]} {
        bad "the rule $opt(-rule) is not for $ip"
    }
    array set config $opt(-config)
    if {$config(apply_board_preset)} {
        if {$::project(board_part) eq ""} {
            bad "no board, no preset"
        }
        foreach {parameter value} [catalogue::preset $ip] {
            set design::config($cell,$parameter) $value
        }
    }
    if {[info exists config(make_external)]} {
        foreach interface [split $config(make_external) ", "] {
            if {$interface ne ""} {
                set design::partner($cell/$interface) external
            }
        }
    }
}

proc get_bd_pins {path} {
    if {![llength [design::find $path pin]]} {
        bad "there is no pin $path"
    }
    return [string trimleft $path /]
}

proc get_bd_intf_pins {path} {
    if {![llength [design::find $path interface]]} {
        bad "there is no interface $path"
    }
    return [string trimleft $path /]
}

proc connect_bd_net {args} {
    set driver {}
    set driven {}
    foreach pin $args {
        foreach {_ direction type} [design::find $pin pin] break
        lappend types $type
        if {$direction eq "O"} {lappend driver $pin} else {lappend driven $pin}
    }
    if {[llength $driver] != 1 || [llength [lsort -unique $types]] != 1} {
        bad "connect_bd_net $args: not one driver, or a clock with a reset"
    }
    foreach pin $driven {
        if {[info exists design::net($pin)]} {
            bad "$pin is connected already"
        }
        set design::net($pin) $driver
    }
}

proc connect_bd_intf_net {from to} {
    foreach {_ mode_from protocol_from} [design::find $from interface] break
    foreach {_ mode_to protocol_to} [design::find $to interface] break
    if {$mode_from ne "Master" || $mode_to ne "Slave" || $protocol_from ne $protocol_to} {
        bad "$from ($mode_from, $protocol_from) cannot go to $to ($mode_to, $protocol_to)"
    }
    foreach {one other} [list $from $to $to $from] {
        if {[info exists design::partner($one)]} {
            bad "$one is connected already"
        }
        set design::partner($one) $other
    }
}

proc get_bd_addr_spaces {path} {
    foreach {cell space} [split $path /] break
    set ip [expr {[info exists design::cells($cell)] ? $design::cells($cell) : ""}]
    foreach {pattern name} {
        *:processing_system7 Data *:zynq_ultra_ps_e Data *:axi_dma Data_MM2S *:axi_dma Data_S2MM
    } {
        if {[string match $pattern $ip] && $space eq $name} {
            return $path
        }
    }
    bad "there is no address space $path"
}

proc get_bd_addr_segs {args} {
    parse $args {-quiet 0 -of_objects 1} opt rest
    if {[info exists opt(-of_objects)]} {
        set found [design::segments_of $opt(-of_objects)]
    } else {
        set found {}
        foreach {segment _ _} [design::memories] {
            if {$segment eq [lindex $rest 0]} {
                set found $segment
            }
        }
    }
    if {$found eq "" && ![info exists opt(-quiet)]} {
        bad "get_bd_addr_segs $args finds nothing"
    }
    return $found
}

proc assign_bd_address {args} {
    parse $args {-offset 1 -range 1 -target_address_space 1} opt rest
    set segment [lindex $rest 0]
    foreach {memory offset range} [design::memories] {
        if {$memory eq $segment} {
            lappend design::mapped [list $opt(-target_address_space) $segment [expr {$offset}] [expr {$range}]]
            return
        }
    }
    lappend design::mapped [list $opt(-target_address_space) $segment [expr {$opt(-offset)}] [expr {$opt(-range)}]]
}

proc validate_bd_design {} {
    set faults [design::faults]
    if {[llength $faults]} {
        bad [join $faults "; "]
    }
    set design::validated 1
}

proc save_bd_design {} {
    if {!$design::validated} {
        bad "the block design is saved before it is validated"
    }
    set ::files($::design::name.bd) block_design
}
