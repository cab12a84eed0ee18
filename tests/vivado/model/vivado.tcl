# Vivado as far as build.tcl uses it, without doing its work: a model for tests.
#
#   tclsh vivado.tcl WORLD SCRIPT STATE [argument ...]
#
# WORLD is a file with "set world(name) value" lines: what is installed and what goes wrong. SCRIPT is sourced with the
# arguments as argv. A command that is not here, an option, property, parameter, pin or interface that does not exist,
# and what validation would refuse, are errors. STATE gets what has been built, one Tcl list per line.

set harness [file dirname [file normalize [info script]]]
array set world {
    version 2020.2 parts {} board_parts {} classic 1 pll 1000.0 stream_bits 64
    ip_faults 0 fail {} slacks {{0.5 0.1 0.2}} missing {} no_license 0 readmem 0 wait_fails 0
    memory_map 1 reports {}
}
array set files {}

proc bad {text} {
    return -code error "harness: $text"
}

# Split switches from positionals: $known holds each switch with its number of values.
proc parse {arguments known options positionals} {
    upvar 1 $options opt $positionals rest
    array set count $known
    array unset opt
    set rest {}
    for {set index 0} {$index < [llength $arguments]} {incr index} {
        set word [lindex $arguments $index]
        if {[info exists count($word)]} {
            if {$count($word)} {incr index}
            set opt($word) [lindex $arguments $index]
        } elseif {[string match -* $word]} {
            bad "[lindex [info level -1] 0] has no option $word"
        } else {
            lappend rest $word
        }
    }
}

# -- project ----------------------------------------------------------------------------------------------------------

proc version {args} {
    parse $args {-short 0} opt rest
    return $::world(version)
}

proc get_parts {args} {
    return $::world(parts)
}

proc get_board_parts {args} {
    parse $args {-quiet 0} opt rest
    if {[llength $rest]} {
        return [lindex $rest 0]
    }
    return [dict keys $::world(board_parts)]
}

proc create_project {args} {
    parse $args {-force 0 -in_memory 0 -part 1} opt rest
    if {[lsearch -exact $::world(parts) $opt(-part)] < 0} {
        bad "there is no part $opt(-part)"
    }
    if {[info exists ::project(name)]} {
        bad "a project is open already"
    }
    array set ::project [list name [lindex $rest 0] folder [lindex $rest 1] part $opt(-part) board_part {} \
        ip_repo_paths {} catalogue 0 top {}]
    if {![info exists opt(-in_memory)]} {
        file mkdir $::project(folder)
    }
}

proc need_project {} {
    if {![info exists ::project(name)]} {
        bad "[lindex [info level -1] 0] without a project"
    }
}

proc close_project {} {
    need_project
    array unset ::project
}

proc current_project {} {
    need_project
    return "project:$::project(name)"
}

proc current_fileset {} {
    need_project
    return "fileset:sources_1"
}

proc update_ip_catalog {args} {
    parse $args {-rebuild 0} opt rest
    set ::project(catalogue) 1
}

proc get_ipdefs {args} {
    parse $args {-all 0} opt rest
    need_project
    set found {}
    foreach {name version} [array get catalogue::latest] {
        if {[string match *:axi_interconnect $name] && (!$::world(classic) || ![info exists opt(-all)])} {
            continue
        }
        lappend found $name:$version
    }
    foreach folder [expr {$::project(catalogue) ? $::project(ip_repo_paths) : {}}] {
        # Vivado's catalogue reads what it can, and hides what it cannot
        if {[file exists $folder/accel_1_0/component.xml] && ($::world(ip_faults) < 2 || [info exists ::repackaged])} {
            lappend found hlsgen:ip:accel:1.0
        }
    }
    set matching {}
    foreach entry $found {
        if {[string match [lindex $rest 0] $entry]} {
            lappend matching $entry
        }
    }
    return $matching
}

proc add_files {args} {
    parse $args {-norecurse 0} opt rest
    need_project
    foreach file [lindex $rest 0] {
        if {![file exists $file]} {
            bad "there is no file $file"
        }
        set ::files($file) source
    }
}

proc get_files {name} {
    if {![info exists ::files($name)]} {
        bad "the project has no file $name"
    }
    return $name
}

proc make_wrapper {args} {
    parse $args {-files 1 -top 0} opt rest
    set name [file rootname $opt(-files)]
    set file $::project(folder)/$::project(name).gen/sources_1/bd/$name/hdl/${name}_wrapper.v
    file mkdir [file dirname $file]
    close [open $file w]
    return $file
}

proc update_compile_order {args} {
    parse $args {-fileset 1} opt rest
}

# -- properties -------------------------------------------------------------------------------------------------------

proc set_property {args} {
    parse $args {-dict 1} opt rest
    if {[info exists opt(-dict)]} {
        set pairs $opt(-dict)
    } else {
        set pairs [lrange $rest 0 1]
        set rest [lrange $rest 2 end]
    }
    if {[llength $pairs] % 2 || [llength $rest] != 1 || [lindex $rest 0] eq ""} {
        bad "set_property $args"
    }
    set object [lindex $rest 0]
    foreach {name value} $pairs {
        if {[info exists design::cells($object)]} {
            if {![regexp {^CONFIG\.(.+)$} $name -> parameter]} {
                bad "the cell $object has no property $name"
            }
            design::configure $object $parameter $value
            continue
        }
        switch -glob -- $object/$name {
            project:*/board_part {
                if {![dict exists $::world(board_parts) $value]} {bad "there is no board $value"}
                set ::project(board_part) $value
            }
            project:*/ip_repo_paths {set ::project(ip_repo_paths) $value}
            fileset:*/top {set ::project(top) $value}
            impl_1/strategy {
                set known {{Vivado Implementation Defaults} Performance_ExplorePostRoutePhysOpt}
                if {[lsearch -exact $known $value] < 0} {
                    bad "there is no strategy $value"
                }
                set ::runs(strategy) $value
            }
            parameter:BUILD_ID/* {
                # a value has the format that the parameter has by then; afterwards nobody may change it
                if {[lsearch {value value_format value_resolve_type enablement_value} $name] < 0} {
                    bad "$object has no property $name"
                }
                if {[lsearch -exact $::packaged enablement_value] >= 0} {
                    bad "$object is disabled"
                }
                lappend ::packaged $object $name $value
            }
            core/name - core/version - core/core_revision - core/supported_families - core/ipi_drc - ipfile:*/type -
            block:map:s_axi_control/range - bus:s_axi_control/slave_memory_map_ref {
                lappend ::packaged $object $name $value
            }
            default {bad "$object has no property $name"}
        }
    }
}

proc get_property {name object} {
    if {[info exists design::cells($object)]} {
        regexp {^CONFIG\.(.+)$} $name -> parameter
        if {![info exists design::config($object,$parameter)]} {
            bad "the cell $object has no property $name"
        }
        return $design::config($object,$parameter)
    }
    if {[string match project:* $object] && $name eq "board_part"} {
        return $::project(board_part)
    }
    if {$name eq "PART_NAME"} {
        return [dict get $::world(board_parts) $object]
    }
    return [run_property $name $object]
}

# -- IP packager ------------------------------------------------------------------------------------------------------

namespace eval ipx {}

proc ipx::open_core {file} {
    if {![file exists $file]} {
        bad "there is no $file"
    }
    if {$::world(ip_faults) == 1 && ![info exists ::repackaged]} {
        bad "component.xml is not understood"
    }
    return core
}

proc ipx::check_integrity {args} {
    parse $args {-quiet 0} opt rest
}

proc ipx::unload_core {file} {}

proc ipx::package_project {args} {
    parse $args {-root_dir 1 -vendor 1 -library 1 -taxonomy 1 -import_files 0 -force 0} opt rest
    if {$::project(top) ne "accel"} {
        bad "the top of the packaged project is $::project(top)"
    }
    if {$::world(ip_faults) < 3} {
        set ::repackaged 1
    }
    set ::root_dir $opt(-root_dir)
}

proc ipx::current_core {} {
    return core
}

proc ipx::get_file_groups {args} {
    parse $args {-of_objects 1} opt rest
    return xilinx_anylanguagesynthesis
}

proc ipx::get_files {args} {
    parse $args {-quiet 0 -of_objects 1} opt rest
    set found {}
    foreach file [array names ::files] {
        if {[string match [lindex $rest 0] $file]} {
            lappend found ipfile:[file tail $file]
        }
    }
    return $found
}

proc ipx::get_memory_maps {args} {
    parse $args {-quiet 0 -of_objects 1} opt rest
    return [expr {$::world(memory_map) ? "map:[lindex $rest 0]" : ""}]
}

proc ipx::add_memory_map {name core} {
    set ::world(memory_map) 1
    return map:$name
}

proc ipx::add_address_block {name map} {}

proc ipx::get_bus_interfaces {args} {
    parse $args {-of_objects 1} opt rest
    return bus:[lindex $rest 0]
}

proc ipx::get_address_blocks {args} {
    parse $args {-of_objects 1} opt rest
    return block:$opt(-of_objects)
}

proc ipx::add_user_parameter {name core} {
    if {$core ne "core"} {
        bad "there is no core $core"
    }
    return parameter:$name
}

proc ipx::create_xgui_files {core} {}

proc ipx::update_checksums {core} {}

proc ipx::save_core {core} {
    file mkdir $::root_dir
    close [open $::root_dir/component.xml w]
}

# -- runs -------------------------------------------------------------------------------------------------------------

array set runs {strategy {} attempts 0 opened 0 cells {system_accel_0_0_synth_1 synth_1}}

proc run_folder {run} {
    return $::project(folder)/$::project(name).runs/$run
}

proc launch_runs {args} {
    parse $args {-jobs 1 -to_step 1} opt rest
    need_project
    set run [lindex $rest 0]
    if {$::project(top) ne "system_wrapper" || !$design::validated} {
        bad "a run before the block design is ready and its wrapper is the top"
    }
    if {$run eq "synth_1"} {
        foreach each $::runs(cells) {
            set text ""
            if {$::world(readmem) && $each ne "synth_1"} {
                set text "CRITICAL WARNING: \[Synth 8-4445\] could not open \$readmem data file 'weights.mem'\n"
            }
            if {$::world(no_license)} {
                set text "ERROR: \[Common 17-345\] A valid license was not found for feature 'Synthesis' and/or device\n"
            }
            set failed [expr {$::world(fail) eq "synthesis" && $each ne "synth_1"}]
            if {$failed} {
                append text "ERROR: \[Synth 8-439\] module 'hlsgen_fifo' not found\n"
            }
            finish $each $failed "synth_design" $text
            if {$failed || $::world(no_license)} {
                set ::runs(PROGRESS,synth_1) 0%
                set ::runs(STATUS,synth_1) "Not started"
                if {$::world(no_license)} {finish $each 1 synth_design $text}
                return
            }
        }
    } elseif {$run eq "impl_1"} {
        if {$::runs(PROGRESS,synth_1) ne "100%"} {
            bad "implementation before synthesis"
        }
        if {[info exists opt(-to_step)]} {
            set failed [expr {$::world(fail) eq "bitstream"}]
            finish impl_1 $failed write_bitstream "ERROR: \[DRC NSTD-1\] Unspecified I/O Standard\n"
            if {!$failed && [lsearch $::world(missing) bit] < 0} {
                set stream [open [run_folder impl_1]/system_wrapper.bit w]
                puts $stream bitstream
                close $stream
            }
            if {[lsearch $::world(missing) hwh] < 0} {
                set folder $::project(folder)/$::project(name).gen/sources_1/bd/system/hw_handoff
                file mkdir $folder
                set stream [open $folder/system.hwh w]
                puts $stream description
                close $stream
            }
            return
        }
        set failed [expr {$::world(fail) eq "implementation"}]
        finish impl_1 $failed route_design "ERROR: \[Place 30-640\] Place Check : over-utilized\n"
        set ::runs(slack) [lindex $::world(slacks) $::runs(attempts)]
        incr ::runs(attempts)
    } else {
        bad "there is no run $run"
    }
}

proc finish {run failed step text} {
    set ::runs(PROGRESS,$run) [expr {$failed ? "50%" : "100%"}]
    set ::runs(STATUS,$run) "$step [expr {$failed ? {ERROR} : {Complete!}}]"
    file mkdir [run_folder $run]
    set stream [open [run_folder $run]/runme.log w]
    puts $stream "INFO: $step"
    if {$failed || ![string match ERROR* $text]} {
        puts $stream $text
    }
    close $stream
}

proc wait_for_run {run} {
    if {![info exists ::runs(PROGRESS,$run)]} {
        bad "$run has not been launched"
    }
    set ::runs(waited,$run) 1
    if {$::world(wait_fails) && $::runs(PROGRESS,$run) ne "100%"} {
        error "\[Vivado 12-13638\] Failed runs(s) : '$run'"
    }
}

proc wait_on_run {run} {
    wait_for_run $run
}

proc reset_run {run} {
    unset ::runs(PROGRESS,$run)
}

proc get_runs {args} {
    parse $args {-filter 1} opt rest
    if {[info exists opt(-filter)]} {
        if {$opt(-filter) ne "IS_SYNTHESIS"} {
            bad "get_runs $args"
        }
        return $::runs(cells)
    }
    if {[lsearch {synth_1 impl_1} [lindex $rest 0]] < 0} {
        bad "there is no run $rest"
    }
    return $rest
}

proc run_property {name run} {
    if {![info exists ::runs(PROGRESS,$run)]} {
        return [expr {$name eq "PROGRESS" ? "0%" : ""}]
    }
    switch -- $name {
        PROGRESS - STATUS {
            if {![info exists ::runs(waited,$run)] && ![info exists ::runs(waited,synth_1)]} {
                bad "$name of $run before it has been waited for"
            }
            return $::runs($name,$run)
        }
        DIRECTORY {return [run_folder $run]}
        STATS.WNS {return [lindex $::runs(slack) 0]}
        STATS.WHS {return [lindex $::runs(slack) 1]}
        STATS.TPWS {return [lindex $::runs(slack) 2]}
    }
    bad "the run $run has no property $name"
}

proc open_run {run} {
    set ::runs(opened) 1
}

proc get_cells {name} {
    if {!$::runs(opened) || $name ne "system_i/accel_0"} {
        bad "there is no cell $name"
    }
    return $name
}

foreach report {report_utilization report_timing_summary report_power} {
    proc $report {args} {
        parse $args {-file 1 -cells 1} opt rest
        if {!$::runs(opened) || [llength $rest]} {
            bad "[info level 0]"
        }
        set sample [file join $::world(reports) [file tail $opt(-file)]]
        if {![file exists $sample]} {
            bad "[info level 0]: no sample of such a report"
        }
        # without the permissions of the sample
        set stream [open $opt(-file) w]
        set source [open $sample r]
        puts -nonewline $stream [read $source]
        close $source
        close $stream
    }
}

# -- the script under test --------------------------------------------------------------------------------------------

source [file join $harness catalogue.tcl]
source [file join $harness design.tcl]
foreach {world_file script state} $argv break
source $world_file
if {[regexp {^\d+\.\d} $world(version) number] && [package vcompare $number 2021.2] >= 0} {
    rename wait_on_run wait_on_runs
}
set catalogue::accelerator $world(accelerator)
# what Tcl 8.5, the Tcl of older versions of Vivado, has not
foreach newer {lmap try throw tailcall coroutine yield yieldto zlib} {
    if {[llength [info commands $newer]]} {
        rename $newer {}
    }
}
set argv [lrange $argv 3 end]
set argv0 vivado
set failed [catch {source $script} message]
set stream [open $state w]
foreach cell [array names design::cells] {
    puts $stream [list cell $cell $design::cells($cell)]
}
foreach name [array names design::set_by_hand] {
    foreach {cell parameter} [split $name ,] break
    puts $stream [list config $cell $parameter $design::config($name)]
}
foreach {pin driver} [array get design::net] {
    puts $stream [list net $pin $driver]
}
foreach {one other} [array get design::partner] {
    puts $stream [list interface $one $other]
}
foreach entry $design::mapped {
    puts $stream [concat address $entry]
}
foreach {object property value} [expr {[info exists packaged] ? $packaged : {}}] {
    puts $stream [list packaged $object $property $value]
}
puts $stream [list board [expr {[info exists project(board_part)] ? $project(board_part) : ""}]]
puts $stream [list strategy $runs(strategy)]
puts $stream [list attempts $runs(attempts)]
close $stream
if {$failed} {
    puts stderr $message
    exit 1
}
